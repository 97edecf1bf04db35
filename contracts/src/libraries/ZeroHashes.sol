// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Roots of empty subtrees.
/// @notice z_0 = 0 (the empty leaf), z_{i+1} = C(z_i, z_i), C being `Poseidon2.compress`.
/// @dev Kept in code because 32 cold storage reads would cost 67 k gas an insertion. A test
/// recomputes every value.
library ZeroHashes {
    /// @notice The root of the tree of depth 32 without any leaf, z_32.
    uint256 internal constant EMPTY_ROOT = 0x2dab419ddd63b813b7a156068546ace406b72a8a6207dbf388e6fe1c8174246c;

    /// @return zeros z_0 … z_31, the empty siblings at each height of a tree of depth 32.
    function table() internal pure returns (uint256[32] memory zeros) {
        zeros[1] = 0x228981b886e5effb2c05a6be7ab4a05fde6bf702a2d039e46c87057dd729ef97;
        zeros[2] = 0x218fbf2e2f12f0475d3dcf2e0ab1bd4b9ab528e954738c18c4b7c9b5f4b84964;
        zeros[3] = 0x2e16a8d602271ea50b5a1bd35b854610ef0bddf8f385bdeb0bb31c4562fa0cd6;
        zeros[4] = 0x2b44a101801fa0b810feb3d82c25e71b88bc6f4aeecd9fcdc2152b1f3c38d044;
        zeros[5] = 0x19f2fcaf65567ab8803e4fb84e67854815d83a4e1b7be24c6814ba2ba9bdc5ca;
        zeros[6] = 0x1a3bd772e2782ad018b9c451bf66c3b0ad223a0e68347fae11c78681bf6478df;
        zeros[7] = 0x034d4539eb24682272ab024133ca575c1cade051f9fdce5948b6b806767e225b;
        zeros[8] = 0x2971eb2b9cd60a1270db7ab8aada485f64fae5a5e85bed736c67329c410fffee;
        zeros[9] = 0x2ef220cf75c94a6bc8f4900fe8153ce53132c2de05163d55ecd0fd13519104b4;
        zeros[10] = 0x2075381e03f1e1f60029fc3079d49b918c967b58e2655b1770c86ca3984ab65c;
        zeros[11] = 0x1d4789eb40dffb09091a0690d88df7ff993c23d172e866a93631f6792909118c;
        zeros[12] = 0x2b082d0afac14544d746c924d6fc882f6931b7b6aacd796c82d7fe81ce33ce4c;
        zeros[13] = 0x175c16bc97822dba5fdf5580638d4983831dab655f5095bde23b6685f61981cd;
        zeros[14] = 0x0c4b05c87053bf236ef505872eac4304546d3c4f989b1d19b93ef9115e883f66;
        zeros[15] = 0x2d7e044c16807771000769efac4e9147a90359c5f58da39880697de3afdd6d56;
        zeros[16] = 0x18b029a33a590d748323e8d6cb8ac7636cdff4a154ddb7e19ac9cb6845adff69;
        zeros[17] = 0x1e45bd2b39d74ef50d211fc7303d55a06478517cd44887308ba40cb6d4d44216;
        zeros[18] = 0x189b2c3495c37308649a0c3e9fe3dd06e83612e9cb1528833acf358bc9b43271;
        zeros[19] = 0x0ec11644818dab9d62fdacacda9fdc5d2fb6f4627a332e3b25bbbc7dfb0672e7;
        zeros[20] = 0x119827e780a1850d7b7e34646edc1ce918211c26dda4e13bcd1611f6f81c3680;
        zeros[21] = 0x084449b11bad2bd26ab39b799cccb9408c4f3bcdbef4210f5cd6544d821c85c6;
        zeros[22] = 0x02f313f5eaf87dd5e81f34e8ef6b98c2928272ba35b80821267b95176775a5dd;
        zeros[23] = 0x2d01ab8332efd3bcd5d4fe99cdb66d809fbf6a1a84c931942ea40fb5cf4ebdaa;
        zeros[24] = 0x2adfa5bb110a920158ca367f5cfa6f632aeb78a9a7b1f2d9c0d29f2a197c244b;
        zeros[25] = 0x1045e59b73045e7bb07ad0bd51e8b5ec08c2b71abc64eaec485ad91a2a528ea8;
        zeros[26] = 0x1549ebd6196d7d303bf4791a3b33c08809f19e5ebf9a5ef5ba438d3ec4d9a324;
        zeros[27] = 0x305e08a953165f5d8e4560d619ca03d05c06e7514dfb7f7a2a25dfaf558907dc;
        zeros[28] = 0x0fb5add1601d2850978d2c5b2de15426a50b7c766c5939843637f759a34ab617;
        zeros[29] = 0x232052690c527bf35f76a2fd8db54c96f1dd28d009e19c6d00af6d389188fac5;
        zeros[30] = 0x228ffdf6570d757e6ebc79516241b636bdceed0996036242d00fdd61050975a2;
        zeros[31] = 0x05933a091621546ed0b08a34233c40bffd7de08aac23eda0986afc620f1ebe84;
    }
}
