//! The EVM chains of CRE: names, selectors, forwarders.
//!
//! A selector is Chainlink's number for a chain, and no chain id. A name is that of `project.yaml`. A receiver that
//! checks who calls it has the forwarder of its chain; which one it is differs between a simulation, whose reports a
//! mock forwarder takes from anybody, and a deployed workflow. Both are Chainlink's to replace: a contract keeps
//! the address where its owner can change it, and `cre workflow supported-chains` has what an organisation is given.
//!
//! Sources. Names and selectors: `@chainlink/cre-sdk` 1.21.1 of 15 September 2026, its EVM client's table. Chain ids:
//! `smartcontractkit/chain-selectors` at 7bf600b of 11 August 2026, `selectors.yml` and `test_selectors.yml`. Forwarders:
//! the forwarder directory of Chainlink's documentation, `smartcontractkit/documentation` at 59e5cde of 21 August 2026.
//! Mock forwarders: `smartcontractkit/cre-cli` at 7853c3b of 23 July 2026, `supported_chains.go`, and for the four
//! testnets of Monad, Robinhood, Stable and T-REX the same directory; where both name one they agree. What none of them
//! names is `None` here.

/// A chain that CRE's EVM capability knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chain {
    /// As in `project.yaml`; lower case.
    pub name: &'static str,
    /// Chainlink's number for it, which [`evm::Client::new`](crate::evm::Client::new) takes.
    pub selector: u64,
    /// EIP-155, where it is published.
    pub chain_id: Option<u64>,
    /// The `KeystoneForwarder` that deployed workflows' reports come from: 0x and EIP-55's forty digits.
    pub forwarder: Option<&'static str>,
    /// The `MockKeystoneForwarder` that simulated workflows' reports come from, likewise.
    pub mock_forwarder: Option<&'static str>,
}

/// The chain of this name.
pub const fn named(name: &str) -> Option<&'static Chain> {
    let mut idx = 0;
    while idx < CHAINS.len() {
        if is_same(CHAINS[idx].name.as_bytes(), name.as_bytes()) {
            return Some(&CHAINS[idx]);
        }
        idx += 1;
    }
    None
}

/// The chain of this selector.
pub const fn of_selector(selector: u64) -> Option<&'static Chain> {
    let mut idx = 0;
    while idx < CHAINS.len() {
        if CHAINS[idx].selector == selector {
            return Some(&CHAINS[idx]);
        }
        idx += 1;
    }
    None
}

/// The selector of a name that the author knows: in a constant, a name that there is not does not compile, and no
/// table comes into the module.
///
/// ```
/// const SEPOLIA: u64 = cre::chains::selector("ethereum-testnet-sepolia");
/// assert_eq!(SEPOLIA, 16_015_286_601_757_825_753);
/// ```
///
/// ```compile_fail
/// const SEPOLIA: u64 = cre::chains::selector("sepolia");
/// ```
///
/// # Panics
/// If there is no such chain; [`named`] is for names that come from elsewhere.
pub const fn selector(name: &str) -> u64 {
    match named(name) {
        Some(chain) => chain.selector,
        None => panic!("no chain of CRE has this name"),
    }
}

/// `==`, in a constant.
const fn is_same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut idx = 0;
    while idx < a.len() {
        if a[idx] != b[idx] {
            return false;
        }
        idx += 1;
    }
    true
}

const NONE: &str = "";

/// A row; 0 and [`NONE`] are what is not known.
const fn chain(
    name: &'static str,
    selector: u64,
    chain_id: u64,
    forwarder: &'static str,
    mock_forwarder: &'static str,
) -> Chain {
    Chain {
        name,
        selector,
        chain_id: if chain_id == 0 { None } else { Some(chain_id) },
        forwarder: if forwarder.is_empty() { None } else { Some(forwarder) },
        mock_forwarder: if mock_forwarder.is_empty() { None } else { Some(mock_forwarder) },
    }
}

/// Every chain, by name.
#[rustfmt::skip]
pub static CHAINS: [Chain; 64] = [
    chain("adi-mainnet", 4_059_281_736_450_291_836, 36_900, "0x76c9cf548b4179F8901cda1f8623568b58215E62", "0x6Aa382fb8762E1232936478DD9DbC04F637028f1"),
    chain("adi-testnet", 9_418_205_736_192_840_573, 99_999, "0x76c9cf548b4179F8901cda1f8623568b58215E62", "0x9eF6468C5f37b976E57d52054c693269479A784d"),
    chain("apechain-testnet-curtis", 9_900_119_385_908_781_505, 33_111, "0x76c9cf548b4179F8901cda1f8623568b58215E62", "0x6E9EE680ef59ef64Aa8C7371279c27E496b5eDc1"),
    chain("arc-testnet", 3_034_092_155_422_581_607, 5_042_002, "0x76c9cf548b4179F8901cda1f8623568b58215E62", "0x6E9EE680ef59ef64Aa8C7371279c27E496b5eDc1"),
    chain("avalanche-mainnet", 6_433_500_567_565_415_381, 43_114, "0x76c9cf548b4179F8901cda1f8623568b58215E62", "0xDc21E279934fF6721CaDfDD112DAfb3261f09A2C"),
    chain("avalanche-testnet-fuji", 14_767_482_510_784_806_043, 43_113, "0x76c9cf548b4179F8901cda1f8623568b58215E62", "0x2E7371a5D032489E4F60216d8D898A4C10805963"),
    chain("binance_smart_chain-mainnet", 11_344_663_589_394_136_015, 56, "0x76c9cf548b4179F8901cda1f8623568b58215E62", "0x6f3239bbB26e98961e1115aBa83f8a282e5508C8"),
    chain("binance_smart_chain-testnet", 13_264_668_187_771_770_619, 97, "0x76c9cf548b4179F8901cda1f8623568b58215E62", "0xA238e42cb8782808DBb2F37E19859244ec4779B0"),
    chain("celo-mainnet", 1_346_049_177_634_351_622, 42_220, "0x98B8335d29Aca40840Ed8426dA1A0aAa8677d8D1", "0x6E9EE680ef59ef64Aa8C7371279c27E496b5eDc1"),
    chain("celo-sepolia", 3_761_762_704_474_186_180, 11_142_220, "0x9eF6468C5f37b976E57d52054c693269479A784d", "0x6E9EE680ef59ef64Aa8C7371279c27E496b5eDc1"),
    chain("cronos-testnet", 2_995_292_832_068_775_165, 338, "0x9eF6468C5f37b976E57d52054c693269479A784d", "0x6E9EE680ef59ef64Aa8C7371279c27E496b5eDc1"),
    chain("dtcc-mainnet-appchain", 13_879_014_182_901_017_172, 2_026_041_005, NONE, "0xBefF2190E6F56C108cD748844Bbd18D4a70F1E21"),
    chain("dtcc-testnet-andesite", 15_513_093_881_969_820_114, 2_025, NONE, "0x6E9EE680ef59ef64Aa8C7371279c27E496b5eDc1"),
    chain("ethereum-mainnet", 5_009_297_550_715_157_269, 1, "0x0b93082D9b3C7C97fAcd250082899BAcf3af3885", "0xA3D1AD4Ac559a6575a114998AffB2fB2Ec97a7D9"),
    chain("ethereum-mainnet-arbitrum-1", 4_949_039_107_694_359_620, 42_161, "0xF8344CFd5c43616a4366C34E3EEE75af79a74482", "0xd770499057619C9a76205fD4168161cf94Abc532"),
    chain("ethereum-mainnet-base-1", 15_971_525_489_660_198_786, 8_453, "0xF8344CFd5c43616a4366C34E3EEE75af79a74482", "0x5E342a8438B4f5d39e72875FCee6f76B39CCE548"),
    chain("ethereum-mainnet-ink-1", 3_461_204_551_265_785_888, 57_073, "0x9eF6468C5f37b976E57d52054c693269479A784d", "0x6E9EE680ef59ef64Aa8C7371279c27E496b5eDc1"),
    chain("ethereum-mainnet-linea-1", 4_627_098_889_531_055_414, 59_144, "0x9eF6468C5f37b976E57d52054c693269479A784d", "0x6E9EE680ef59ef64Aa8C7371279c27E496b5eDc1"),
    chain("ethereum-mainnet-mantle-1", 1_556_008_542_357_238_666, 5_000, "0xB9F79d863261869B234c481D1f9A7af84AeAd192", "0x6E9EE680ef59ef64Aa8C7371279c27E496b5eDc1"),
    chain("ethereum-mainnet-optimism-1", 3_734_403_246_176_062_136, 10, "0xF8344CFd5c43616a4366C34E3EEE75af79a74482", "0x9119A1501550ED94a3f2794038Ed9258337AfA18"),
    chain("ethereum-mainnet-scroll-1", 13_204_309_965_629_103_672, 534_352, "0x98B8335d29Aca40840Ed8426dA1A0aAa8677d8D1", "0x6E9EE680ef59ef64Aa8C7371279c27E496b5eDc1"),
    chain("ethereum-mainnet-worldchain-1", 2_049_429_975_587_534_727, 480, "0x98B8335d29Aca40840Ed8426dA1A0aAa8677d8D1", "0x6E9EE680ef59ef64Aa8C7371279c27E496b5eDc1"),
    chain("ethereum-mainnet-xlayer-1", 3_016_212_468_291_539_606, 196, "0x76c9cf548b4179F8901cda1f8623568b58215E62", "0x2B3068C4B288A2CD1f8B3613b8f33ef7cEecadC4"),
    chain("ethereum-mainnet-zksync-1", 1_562_403_441_176_082_196, 324, "0x76c9cf548b4179F8901cda1f8623568b58215E62", "0x6E9EE680ef59ef64Aa8C7371279c27E496b5eDc1"),
    chain("ethereum-testnet-sepolia", 16_015_286_601_757_825_753, 11_155_111, "0xF8344CFd5c43616a4366C34E3EEE75af79a74482", "0x15fC6ae953E024d975e77382eEeC56A9101f9F88"),
    chain("ethereum-testnet-sepolia-arbitrum-1", 3_478_487_238_524_512_106, 421_614, "0x76c9cf548b4179F8901cda1f8623568b58215E62", "0xD41263567DdfeAd91504199b8c6c87371e83ca5d"),
    chain("ethereum-testnet-sepolia-base-1", 10_344_971_235_874_465_080, 84_532, "0xF8344CFd5c43616a4366C34E3EEE75af79a74482", "0x82300bd7c3958625581cc2F77bC6464dcEcDF3e5"),
    chain("ethereum-testnet-sepolia-linea-1", 5_719_461_335_882_077_547, 59_141, "0x76c9cf548b4179F8901cda1f8623568b58215E62", "0x6E9EE680ef59ef64Aa8C7371279c27E496b5eDc1"),
    chain("ethereum-testnet-sepolia-mantle-1", 8_236_463_271_206_331_221, 5_003, "0xB9F79d863261869B234c481D1f9A7af84AeAd192", "0x6E9EE680ef59ef64Aa8C7371279c27E496b5eDc1"),
    chain("ethereum-testnet-sepolia-optimism-1", 5_224_473_277_236_331_295, 11_155_420, "0x76c9cf548b4179F8901cda1f8623568b58215E62", "0xA2888380dFF3704a8AB6D1CD1A8f69c15FEa5EE3"),
    chain("ethereum-testnet-sepolia-scroll-1", 2_279_865_765_895_943_307, 534_351, "0x98B8335d29Aca40840Ed8426dA1A0aAa8677d8D1", "0x6E9EE680ef59ef64Aa8C7371279c27E496b5eDc1"),
    chain("ethereum-testnet-sepolia-unichain-1", 14_135_854_469_784_514_356, 1_301, "0x98B8335d29Aca40840Ed8426dA1A0aAa8677d8D1", "0x6E9EE680ef59ef64Aa8C7371279c27E496b5eDc1"),
    chain("ethereum-testnet-sepolia-worldchain-1", 5_299_555_114_858_065_850, 4_801, "0x76c9cf548b4179F8901cda1f8623568b58215E62", "0x6E9EE680ef59ef64Aa8C7371279c27E496b5eDc1"),
    chain("ethereum-testnet-sepolia-zksync-1", 6_898_391_096_552_792_247, 300, "0x76c9cf548b4179F8901cda1f8623568b58215E62", "0x6E9EE680ef59ef64Aa8C7371279c27E496b5eDc1"),
    chain("gnosis_chain-mainnet", 465_200_170_687_744_372, 100, "0x9eF6468C5f37b976E57d52054c693269479A784d", "0x6E9EE680ef59ef64Aa8C7371279c27E496b5eDc1"),
    chain("gnosis_chain-testnet-chiado", 8_871_595_565_390_010_547, 10_200, "0x0b93082D9b3C7C97fAcd250082899BAcf3af3885", "0x6E9EE680ef59ef64Aa8C7371279c27E496b5eDc1"),
    chain("hyperliquid-mainnet", 2_442_541_497_099_098_535, 999, "0x9eF6468C5f37b976E57d52054c693269479A784d", "0x6E9EE680ef59ef64Aa8C7371279c27E496b5eDc1"),
    chain("hyperliquid-testnet", 4_286_062_357_653_186_312, 998, "0x76c9cf548b4179F8901cda1f8623568b58215E62", "0xB27fA1c28288c50542527F64BCda22C9FbAc24CB"),
    chain("ink-testnet-sepolia", 9_763_904_284_804_119_144, 763_373, "0x76c9cf548b4179F8901cda1f8623568b58215E62", "0x6E9EE680ef59ef64Aa8C7371279c27E496b5eDc1"),
    chain("jovay-mainnet", 1_523_760_397_290_643_893, 5_734_951, "0x76c9cf548b4179F8901cda1f8623568b58215E62", "0x2B3068C4B288A2CD1f8B3613b8f33ef7cEecadC4"),
    chain("jovay-testnet", 945_045_181_441_419_236, 2_019_775, "0x76c9cf548b4179F8901cda1f8623568b58215E62", "0x6E9EE680ef59ef64Aa8C7371279c27E496b5eDc1"),
    chain("megaeth-mainnet", 6_093_540_873_831_549_674, 4_326, "0x7BCcaFBD064cB3658476066Cc33ceE3F3414c04c", "0x6E9EE680ef59ef64Aa8C7371279c27E496b5eDc1"),
    chain("megaeth-testnet-2", 18_241_817_625_092_392_675, 6_343, "0x9eF6468C5f37b976E57d52054c693269479A784d", "0x6E9EE680ef59ef64Aa8C7371279c27E496b5eDc1"),
    chain("monad-mainnet", 8_481_857_512_324_358_265, 143, NONE, NONE),
    chain("monad-testnet", 2_183_018_362_218_727_504, 10_143, "0xF8344CFd5c43616a4366C34E3EEE75af79a74482", "0xB9F79d863261869B234c481D1f9A7af84AeAd192"),
    chain("pharos-atlantic-testnet", 16_098_325_658_947_243_212, 688_689, "0x76c9cf548b4179F8901cda1f8623568b58215E62", "0x6E9EE680ef59ef64Aa8C7371279c27E496b5eDc1"),
    chain("pharos-mainnet", 7_801_139_999_541_420_232, 1_672, "0x76c9cf548b4179F8901cda1f8623568b58215E62", "0x2B3068C4B288A2CD1f8B3613b8f33ef7cEecadC4"),
    chain("plasma-mainnet", 9_335_212_494_177_455_608, 9_745, "0x7BCcaFBD064cB3658476066Cc33ceE3F3414c04c", "0x6E9EE680ef59ef64Aa8C7371279c27E496b5eDc1"),
    chain("plasma-testnet", 3_967_220_077_692_964_309, 9_746, "0x76c9cf548b4179F8901cda1f8623568b58215E62", "0x6E9EE680ef59ef64Aa8C7371279c27E496b5eDc1"),
    chain("polygon-mainnet", 4_051_577_828_743_386_545, 137, "0x76c9cf548b4179F8901cda1f8623568b58215E62", "0xF458D621885E29a5003eA9bbBA5280D54e19b1Ce"),
    chain("polygon-testnet-amoy", 16_281_711_391_670_634_445, 80_002, "0x76c9cf548b4179F8901cda1f8623568b58215E62", "0x3675A5eb2286A3F87e8278Fc66Edf458a2e3bB74"),
    chain("private-testnet-andesite", 6_915_682_381_028_791_124, 2_024, NONE, "0xcF4629d8DC7a5fa17F4D77233F5b953225669821"),
    chain("private-testnet-basalt", 18_362_000_170_840_307_455, 0, NONE, NONE),
    chain("private-testnet-pumice", 1_564_738_277_398_880_633, 2_026_041_004, NONE, "0xBefF2190E6F56C108cD748844Bbd18D4a70F1E21"),
    chain("private-testnet-quartzite", 4_175_996_748_267_305_081, 2_026_041_002, NONE, "0xBefF2190E6F56C108cD748844Bbd18D4a70F1E21"),
    chain("private-testnet-rhyolite", 604_447_335_222_770_945, 2_026_041_003, NONE, "0xBefF2190E6F56C108cD748844Bbd18D4a70F1E21"),
    chain("robinhood-testnet", 2_032_988_798_112_970_440, 46_630, "0x8E6E6A1f2B2D4dF503bfd67951CF28F27BF3AF19", "0x0b93082D9b3C7C97fAcd250082899BAcf3af3885"),
    chain("sonic-mainnet", 1_673_871_237_479_749_969, 146, "0x98B8335d29Aca40840Ed8426dA1A0aAa8677d8D1", "0x6E9EE680ef59ef64Aa8C7371279c27E496b5eDc1"),
    chain("sonic-testnet", 1_763_698_235_108_410_440, 14_601, "0x98B8335d29Aca40840Ed8426dA1A0aAa8677d8D1", "0x6E9EE680ef59ef64Aa8C7371279c27E496b5eDc1"),
    chain("stable-testnet", 11_793_402_411_494_852_765, 2_201, "0x701d026D1c85BA1DCbc3EEbe3636D646D88a0Aae", "0x9081624a30231767C3093A5F2Ae1C57A4457C88F"),
    chain("t-rex-testnet", 17_611_928_792_452_358_269, 364_301, "0x8E6E6A1f2B2D4dF503bfd67951CF28F27BF3AF19", "0x53bC8B33F9Fd9cf5323b260CC078967cC3f30297"),
    chain("tac-testnet", 9_488_606_126_177_218_005, 2_391, "0x7BCcaFBD064cB3658476066Cc33ceE3F3414c04c", "0x6E9EE680ef59ef64Aa8C7371279c27E496b5eDc1"),
    chain("tempo-testnet-moderato", 8_457_817_439_310_187_923, 42_431, NONE, NONE),
    chain("xlayer-testnet", 10_212_741_611_335_999_305, 1_952, "0x9eF6468C5f37b976E57d52054c693269479A784d", "0x6E9EE680ef59ef64Aa8C7371279c27E496b5eDc1"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn table_is_in_order_and_names_nothing_twice() {
        assert!(CHAINS.is_sorted_by(|a, b| a.name < b.name));
        let selectors: BTreeSet<u64> = CHAINS.iter().map(|chain| chain.selector).collect();
        assert_eq!(selectors.len(), CHAINS.len());
        let ids: Vec<u64> = CHAINS.iter().filter_map(|chain| chain.chain_id).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
        // The selectors of a chain id are not chain ids: nobody took one for the other.
        assert!(CHAINS.iter().all(|chain| chain.selector > u64::from(u32::MAX)));
        for chain in &CHAINS {
            let is_plain =
                |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
            assert!(chain.name.chars().all(is_plain), "{}", chain.name);
            assert_eq!(named(chain.name), Some(chain));
            assert_eq!(of_selector(chain.selector), Some(chain));
        }
        assert_eq!((named("sepolia"), named(""), of_selector(0)), (None, None, None));
    }

    #[test]
    fn addresses_are_where_a_source_has_them() {
        let without = |address: fn(&Chain) -> Option<&'static str>| -> Vec<&str> {
            CHAINS.iter().filter(|chain| address(chain).is_none()).map(|chain| chain.name).collect()
        };
        let no_mock = ["monad-mainnet", "private-testnet-basalt", "tempo-testnet-moderato"];
        assert_eq!(without(|chain| chain.mock_forwarder), no_mock);
        assert_eq!(
            without(|chain| chain.forwarder),
            [
                "dtcc-mainnet-appchain",
                "dtcc-testnet-andesite",
                "monad-mainnet",
                "private-testnet-andesite",
                "private-testnet-basalt",
                "private-testnet-pumice",
                "private-testnet-quartzite",
                "private-testnet-rhyolite",
                "tempo-testnet-moderato",
            ]
        );
        let ethereum = named("ethereum-mainnet").unwrap();
        assert_eq!((ethereum.chain_id, ethereum.selector), (Some(1), 5_009_297_550_715_157_269));
        assert_eq!(ethereum.mock_forwarder, Some("0xA3D1AD4Ac559a6575a114998AffB2fB2Ec97a7D9"));
    }
}
