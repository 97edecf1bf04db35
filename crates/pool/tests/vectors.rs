//! Values that contracts, circuits and other people's tools must agree with. A change here changes
//! every deployed note: it says why in its commit.

use pool::{
    Fr, field,
    hash::{compress, poseidon, tag},
    keys::{NullifierSecret, SpendSecret, owner},
    mandate::Mandate,
    note::{self, Note},
    position::Position,
    request::Request,
    status,
    terms::Terms,
    tree::{DEPTH, Tree, zeros},
};
use primitives::hex;

#[track_caller]
fn check(value: Fr, expect: &str) {
    assert_eq!(hex(&field::to_bytes(&value)), expect);
}

fn terms() -> Terms {
    Terms {
        issuer: Fr::from(1),
        instrument: Fr::from(2),
        consideration_asset: Fr::from(3),
        payout_owner: Fr::from(4),
        pool_id: Fr::from(5),
        premium_bps_min: 6,
        price_min: 7,
        price_max: 8,
        fill_min: 9,
        gap_band_max: 10,
        expiry: 11,
    }
}

fn mandate() -> Mandate {
    Mandate {
        issuer: Fr::from(1),
        instrument: Fr::from(2),
        collateral_asset: Fr::from(3),
        consideration_asset: Fr::from(4),
        pool_id: Fr::from(5),
        amount_max: 6,
        premium_bps_max: 7,
        price_min: 8,
        price_max: 9,
        expiry: 10,
        salt: Fr::from(11),
    }
}

#[test]
fn hashes_are_as_pinned() {
    check(tag("note"), "0000000000000000000000000000000000000000000000636470722e6e6f7465");
    check(
        poseidon(&[tag("note"), Fr::from(1)]),
        "25293f761b33763abe593b832907ece171be3ff0305f84ef3a91eaea8e06f535",
    );
    check(
        compress(Fr::from(1), Fr::from(2)),
        "0e90c132311e864e0c8bca37976f28579a2dd9436bbc11326e21ec7c00cea5b3",
    );
}

#[test]
fn keys_and_notes_are_as_pinned() {
    let mut one = [0; 32];
    one[31] = 1;
    let spend_key = SpendSecret::from_entropy(&one).spend_key();
    let nullifier_secret = NullifierSecret::from_entropy(&one);
    let owner = owner(spend_key, nullifier_secret.nullifier_key());
    check(spend_key, "2726c95de192c9fe4ba53b8c4abf81953aadff11b528528280ee6b4d41f171f5");
    check(
        nullifier_secret.nullifier_key(),
        "1b0cc9cefca1afe40810fa0c27b1e4edd0d02e43fdd97a42febc3f2183618278",
    );
    check(owner, "1fd46e0da8b58f6e405d34385e0fd16f637ed044de9d46389aecde74cd197fc5");
    let note =
        Note { asset: Fr::from(2), amount: 3, owner, order_hash: terms().hash(), rho: Fr::from(4) };
    check(note.inner(), "22dd1556d222a97919a4882c264120e2184f784e14316e007dad24e2c2e27d5a");
    check(note.commitment(), "304f21ffd2e59319ca057066098158b52f9c0f55c2153619fae8d699b6448906");
    let secret = nullifier_secret.expose();
    let context = Fr::from(6);
    check(
        note::nullifier(secret, note.commitment(), 5),
        "2c523f9feba9aaf8b04214116653013fa68d9a6e84104aeddb87c61d8c4a48f8",
    );
    check(
        note::dummy_nullifier(secret, context, 1),
        "2f2e479b1a11c0b8738cf93e63651cbeefb00d0de47bf5f853bce15b0f1c00dc",
    );
    check(
        note::payout_rho(secret, context, 1),
        "11c9b5c14ab018e3bbdfa31106a675078904c47c4bd6b4d1d1343229a9e8c972",
    );
    check(
        note::change_rho(secret, context, 1),
        "21f87d588c3f7666489923acc2cb2a5b923639c18d3f4b8393f3c1d30ed3d005",
    );
    check(
        note::consideration_rho(secret, context),
        "29ef0dc1b30ab6f62052aaa73397e9b9a6f3b3a85f8eef58f3077424366c9275",
    );
}

#[test]
fn commitments_are_as_pinned() {
    check(terms().hash(), "164b5ca26bc574596b350e7a01b40c87470a786dc4132900e5011708bb222772");
    check(
        mandate().commitment(),
        "29908292237b2c479ebad54dcd5da2737d3254c55692dfa2c8155aab651f8779",
    );
    let request = Request {
        requested: 7,
        remaining: 6,
        instrument: Fr::from(2),
        mandate: mandate().commitment(),
        gap_band: 3,
        salt: Fr::from(12),
    };
    let context = Fr::from(6);
    check(request.commitment(), "19e94d481caf328832ad8cdaa7757972f56e0481658a9b27acde4e5d29ca9662");
    check(
        request.after(2, context).expect("enough").commitment(),
        "1899c1e92edaead4094094e90b6488e0b6728d2539ba5680883004016ba0c3b8",
    );
    let position = Position { issuer: Fr::from(1), amount: 8, salt: Fr::from(13) };
    check(
        position.commitment(),
        "09777454b5f7f01c3aa15bde31f8d8db3489afa6b6634b37e3e439b30221f015",
    );
    check(
        position.after(2, context).expect("fits").commitment(),
        "0ed306e5c0b3d351ae81d85dbd1ffc39191db42b81936c23b34b1809697a9d5a",
    );
    let salt = status::salt(request.salt, context);
    check(
        status::commitment(status::FILLED, salt),
        "11bd5f66f5caf06a2a02b2d1ac5b933fe8d17fffca4fa3c680210b2e10b42530",
    );
}

#[test]
fn trees_are_as_pinned() {
    check(zeros()[1], "228981b886e5effb2c05a6be7ab4a05fde6bf702a2d039e46c87057dd729ef97");
    check(zeros()[DEPTH], "2dab419ddd63b813b7a156068546ace406b72a8a6207dbf388e6fe1c8174246c");
    let mut tree = Tree::new();
    tree.append(Fr::from(1)).expect("room");
    check(tree.root(), "1d66210064d9554c18bfcb1dd38eaca9b2d5cab95fa89c10bd4ede94c635e26b");
    tree.append_batch(&[2, 3, 4, 5, 6, 7, 8, 9, 10].map(Fr::from)).expect("room");
    check(tree.root(), "096ba96563fc8760612d513f9ab7a07536939f38ecbbda1ee10090354a662c8d");
    tree.append(Fr::from(11)).expect("room");
    check(tree.root(), "1451bd25d169bab11fdac4cb922ea2e0d0a72ead68f7a1c9316481b9e7ddcbde");
}
