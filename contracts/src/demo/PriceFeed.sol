// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AggregatorV3Interface} from "@chainlink/contracts/src/v0.8/shared/interfaces/AggregatorV3Interface.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";

/// @title A demonstration price feed, 8 decimals, whose owner sets the answer.
contract PriceFeed is AggregatorV3Interface, Ownable {
    struct Round {
        int256 answer;
        uint256 updatedAt;
    }

    event AnswerUpdated(int256 indexed answer, uint256 indexed roundId, uint256 updatedAt);

    error RoundUnknown(uint80 roundId, uint80 latest);

    /// @inheritdoc AggregatorV3Interface
    uint8 public constant override decimals = 8;
    /// @inheritdoc AggregatorV3Interface
    uint256 public constant override version = 1;
    /// @inheritdoc AggregatorV3Interface
    string public constant override description = "CDPR demo: consideration per collateral";

    uint80 private _latest;
    mapping(uint80 roundId => Round) private _rounds;

    /// @param owner_ Sets answers.
    /// @param answer_ The first answer, 8 decimals.
    constructor(address owner_, int256 answer_) Ownable(owner_) {
        _set(answer_);
    }

    /// @notice Sets the answer, 8 decimals, as of this block. Only the owner.
    function setAnswer(int256 answer_) external onlyOwner {
        _set(answer_);
    }

    /// @inheritdoc AggregatorV3Interface
    function latestRoundData() external view override returns (uint80, int256, uint256, uint256, uint80) {
        return _data(_latest);
    }

    /// @inheritdoc AggregatorV3Interface
    function getRoundData(uint80 roundId) external view override returns (uint80, int256, uint256, uint256, uint80) {
        if (roundId == 0 || roundId > _latest) revert RoundUnknown(roundId, _latest);
        return _data(roundId);
    }

    function _set(int256 answer_) private {
        _latest++;
        _rounds[_latest] = Round(answer_, block.timestamp);
        emit AnswerUpdated(answer_, _latest, block.timestamp);
    }

    function _data(uint80 roundId) private view returns (uint80, int256, uint256, uint256, uint80) {
        Round storage r = _rounds[roundId];
        return (roundId, r.answer, r.updatedAt, r.updatedAt, roundId);
    }
}
