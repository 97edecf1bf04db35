// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";

/// @title A demonstration cash token, 6 decimals: what makers give as collateral.
contract CashToken is ERC20, Ownable {
    /// @param owner_ May mint.
    constructor(address owner_) ERC20("CDPR Demo Cash", "CASH") Ownable(owner_) {}

    /// @notice Mints `amount` base units to `to`. Only the owner.
    function mint(address to, uint256 amount) external onlyOwner {
        _mint(to, amount);
    }

    /// @inheritdoc ERC20
    function decimals() public pure override returns (uint8) {
        return 6;
    }
}
