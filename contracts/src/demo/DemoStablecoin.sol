// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {IRecoveryGuard} from "../interfaces/IRecoveryGuard.sol";

/// @title A demonstration stablecoin, 6 decimals, whose mint asks the guard.
contract DemoStablecoin is ERC20, Ownable {
    /// @notice The guard does not allow minting now.
    error MintPaused();

    /// @notice Asked before every mint.
    IRecoveryGuard public immutable guard;

    /// @param owner_ The issuer, who mints and burns.
    constructor(address owner_, IRecoveryGuard guard_) ERC20("CDPR Demo Dollar", "DEMO") Ownable(owner_) {
        guard = guard_;
    }

    /// @notice Mints `amount` base units to `to`. Only the issuer, while the guard allows.
    function mint(address to, uint256 amount) external onlyOwner {
        if (!guard.mintAllowed()) revert MintPaused();
        _mint(to, amount);
    }

    /// @notice Burns the caller's coins, in base units. Redemption is never paused.
    function burn(uint256 amount) external {
        _burn(msg.sender, amount);
    }

    /// @inheritdoc ERC20
    function decimals() public pure override returns (uint8) {
        return 6;
    }
}
