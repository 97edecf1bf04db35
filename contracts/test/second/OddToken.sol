// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @dev A token that does everything wrong that it is told to.
contract OddToken {
    struct Oddities {
        /// Kept of what the receiver gets.
        uint256 fee;
        /// Taken from the sender on top.
        uint256 surcharge;
        /// Says that it moved something and does not.
        bool lies;
        /// Moves, and says that it did not.
        bool saysFalse;
        /// Moves, and says nothing.
        bool silent;
        /// Tells whoever asks that it has nothing, once something moved.
        bool forgets;
    }

    mapping(address account => uint256) private _balances;
    mapping(address owner => mapping(address spender => uint256)) public allowance;
    mapping(address account => bool) public blocked;
    Oddities public oddities;
    address private _target;
    bytes private _call;
    bool private _moved;

    error Blocked(address account);
    error Short(uint256 has, uint256 needed);

    function mint(address to, uint256 amount) external {
        _balances[to] += amount;
    }

    function burn(address from, uint256 amount) external {
        _balances[from] -= amount;
    }

    function be(Oddities memory oddities_) external {
        oddities = oddities_;
        _moved = false;
    }

    function setBlocked(address account, bool blocked_) external {
        blocked[account] = blocked_;
    }

    /// @dev Makes this call from within the next transfer.
    function callBack(address target, bytes memory call_) external {
        (_target, _call) = (target, call_);
    }

    function balanceOf(address account) external view returns (uint256) {
        return oddities.forgets && _moved ? 0 : _balances[account];
    }

    function approve(address spender, uint256 amount) external returns (bool) {
        allowance[msg.sender][spender] = amount;
        return true;
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        _move(msg.sender, to, amount);
        return _answer();
    }

    function transferFrom(address from, address to, uint256 amount) external returns (bool) {
        if (allowance[from][msg.sender] < amount) revert Short(allowance[from][msg.sender], amount);
        allowance[from][msg.sender] -= amount;
        _move(from, to, amount);
        return _answer();
    }

    function _answer() private view returns (bool) {
        if (oddities.silent) {
            assembly {
                return(0, 0)
            }
        }
        return !oddities.saysFalse;
    }

    function _move(address from, address to, uint256 amount) private {
        if (blocked[from]) revert Blocked(from);
        if (blocked[to]) revert Blocked(to);
        if (oddities.lies) return;
        uint256 taken = amount + oddities.surcharge;
        if (_balances[from] < taken) revert Short(_balances[from], taken);
        _balances[from] -= taken;
        _balances[to] += amount - oddities.fee;
        _moved = true;
        if (_target == address(0)) return;
        address target = _target;
        _target = address(0);
        (bool success, bytes memory returned) = target.call(_call);
        if (success) return;
        assembly {
            revert(add(returned, 0x20), mload(returned))
        }
    }
}
