// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";

/// @title A demonstration secured claim, 6 decimals: the consideration makers receive.
contract ClaimToken is ERC20, Ownable {
    /// @param owner_ May mint.
    constructor(address owner_) ERC20("CDPR Demo Secured Claim", "CLAIM") Ownable(owner_) {}

    /// @notice Mints `amount` base units to `to`. Only the owner.
    function mint(address to, uint256 amount) external onlyOwner {
        _mint(to, amount);
    }

    /// @inheritdoc ERC20
    function decimals() public pure override returns (uint8) {
        return 6;
    }
}
