//! The second pool and a venue of it on a chain, with the real verifiers, and somebody who knows every secret: what
//! costs are measured on, and what forgeries are sent to. Witnesses are put together here, so that each can be bent.

use std::sync::OnceLock;

use alloy::primitives::{TxKind, uint};
use alloy::sol_types::{SolCall, SolConstructor as _, SolValue as _};
use circuits::prove::Proof;
use circuits::second::account::{self, Kind as Move};
use circuits::second::clear::{self, Round, SLOTS, Slot};
use circuits::second::prove::{Provable, Prover, Published};
use circuits::second::testing::Provers;
use circuits::second::{absorb, spend};
use devchain::{Priced, Rules};
use pool::keys::{NullifierSecret, SpendSecret};
use pool::request::Request;
use pool::second::account::{Account, Holder};
use pool::second::context::{Deployment as Place, Exit, Kind};
use pool::second::deal::{Deal, Scale};
use pool::second::mandate::Mandate;
use pool::second::note::{self, Note};
use pool::second::orders;
use pool::second::terms::Terms;
use pool::second::tree::{NOTE_DEPTH, ORDER_DEPTH, Tree, zeros};
use pool::second::wallet::{Keys, Opening};
use pool::status::Disclosure as Shown;
use pool::{Fr, field};

use super::*;

mod bindings {
    #![allow(
        missing_docs,
        missing_debug_implementations,
        unreachable_pub,
        clippy::all,
        clippy::pedantic,
        clippy::allow_attributes_without_reason,
        clippy::cast_possible_truncation,
        clippy::wildcard_enum_match_arm,
        reason = "generated; the contracts document themselves"
    )]

    // Each named for the interface, where `sol!` puts types of no contract.
    pub(crate) mod pool {
        evm::alloy::sol!(
            #[sol(all_derives)]
            IShieldedPool,
            "../../contracts/artifacts/SecondShieldedPool.json"
        );
    }
    pub(crate) mod venue {
        evm::alloy::sol!(
            #[sol(all_derives)]
            IDarkPool,
            "../../contracts/artifacts/SecondDarkPool.json"
        );
    }
}
pub(super) use bindings::pool::IShieldedPool as Pool;
pub(super) use bindings::venue::IDarkPool as Venue;
use bindings::venue::{DarkPool::Deployment as VenueDeployment, IShieldedPool as OfPool};

/// Of the scalar field, where values are.
pub(super) const P: U256 =
    uint!(0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001_U256);
/// Of the base field, where the coordinates of proofs are.
pub(super) const Q: U256 =
    uint!(0x30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd47_U256);
pub(super) const WINDOW: u64 = 600;
pub(super) const TICK: u64 = 720;
pub(super) const UNIT: u128 = 1_000_000;
pub(super) const ISSUER: u8 = 2;
/// Sends what anyone may send.
pub(super) const ANYONE: u8 = 8;
/// Who deposits.
pub(super) const MAKER: u8 = 5;
const OWNER: u8 = 1;
pub(super) const PRICE: u64 = 100_000_000;
/// What the first enclave's key is registered until, and the first price is fresh.
pub(super) const DAY_ENDS: u64 = START + 86_400;
/// Another image of an enclave than [`WORKLOAD`].
pub(super) const OTHER_WORKLOAD: B256 = B256::repeat_byte(0x78);
const CAP_BPS: u16 = 50;
/// Of the encoding of a settlement.
const VERSION: u16 = 2;

/// A note, what opens it, and where it is.
#[derive(Clone, Copy)]
pub(super) struct Held {
    pub(super) note: Note,
    /// Which of the keys: a line's, or if `paid` those of its payouts.
    pub(super) number: u64,
    pub(super) paid: bool,
    /// Its terms if it is locked.
    pub(super) terms: Option<Terms>,
    pub(super) in_venue: bool,
    pub(super) index: u64,
}

/// What a spend is to do, right or wrong.
pub(super) struct Leaving {
    pub(super) inputs: Vec<Held>,
    pub(super) announce: bool,
    pub(super) amount: u128,
    pub(super) recipient: Address,
    pub(super) relayer: Address,
    pub(super) fee: u128,
    /// Amount of the one output, 0 if there is none.
    pub(super) change: u128,
}

/// Digest and values of a statement, and a proof of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Proven {
    pub(super) posted: Vec<U256>,
    pub(super) proof: [U256; 8],
}

pub(super) struct Stage {
    pub(super) system: System,
    pub(super) pool: Address,
    pub(super) venue: Address,
    pub(super) place: Place,
    pub(super) entry: Tree,
    pub(super) book: Tree,
    pub(super) waiting: Vec<Held>,
    pub(super) held: Vec<Held>,
    next: u64,
    pub(super) mandate: Mandate,
    pub(super) account: Account,
    pub(super) request: Request,
    pub(super) id: B256,
    pub(super) opened: u64,
    pub(super) rounds: u64,
    /// Whose key settlements are signed with.
    pub(super) enclave: u8,
    /// The feed's round that is the newest.
    pub(super) price_round: u128,
    /// Of the reports to the venue.
    epoch: u64,
    /// Of those to the registry.
    registered: u64,
    /// What was measured, in order.
    pub(super) figures: Vec<(String, [u64; 2])>,
}

impl Held {
    fn opening(&self) -> Opening {
        if self.paid { keys().payout(self.number) } else { keys().line(self.number) }
    }

    pub(super) fn spend_secret(&self) -> SpendSecret {
        self.opening().spend_secret
    }

    pub(super) fn secret(&self) -> NullifierSecret {
        self.opening().nullifier_secret
    }

    pub(super) fn nullifier(&self, venue: Fr) -> Fr {
        let tree = if self.in_venue { venue } else { Fr::from(0) };
        let at = note::place(tree, self.index);
        note::nullifier(self.secret().expose(), self.note.commitment(), at)
    }
}

impl Stage {
    pub(super) async fn set() -> Self {
        let mint = |token, to, amount| Mint { token, to: wallet(to).address(), amount };
        let mints = vec![mint(Token::Cash, MAKER, 1 << 60), mint(Token::Claim, ISSUER, 1 << 60)];
        let workloads = vec![WORKLOAD, OTHER_WORKLOAD];
        let config = DeployConfig { mints, workloads, ..config(Disclosure::Sealed) };
        let system = System::deploy_with(config).await;
        let at = system.at;
        let holder = Holder {
            venue: Fr::from(0),
            issuer: element(wallet(ISSUER).address()),
            collateral_asset: element(at.cash),
            consideration_asset: element(at.claim),
        };
        let deal = Deal {
            issuer: holder.issuer,
            instrument: Fr::from(1),
            consideration_asset: element(at.claim),
            venue: Fr::from(0),
            scale: Scale::PAR,
        };
        let mandate = Mandate {
            deal,
            collateral_asset: element(at.cash),
            premium_bps_max: 500,
            price_min: PRICE / 2,
            price_max: PRICE * 2,
            expiry: 1 << 39,
            epoch_seconds: 1 << 39,
            amount_max: 1 << 100,
            lot: UNIT,
            slot_min: UNIT,
            salt: Fr::from(3),
        };
        let request = Request {
            requested: 1_000_000 * UNIT,
            remaining: 1_000_000 * UNIT,
            instrument: deal.instrument,
            mandate: Fr::from(0),
            gap_band: 1,
            salt: Fr::from(8),
        };
        let mut stage = Self {
            system,
            pool: Address::ZERO,
            venue: Address::ZERO,
            place: Place { chain_id: CHAIN_ID, pool: [0; 20] },
            entry: Tree::new(NOTE_DEPTH),
            book: Tree::new(NOTE_DEPTH),
            waiting: Vec::new(),
            held: Vec::new(),
            next: 0,
            mandate,
            account: Account::open(holder, Fr::from(4)),
            request,
            id: B256::ZERO,
            opened: 0,
            rounds: 0,
            enclave: 7,
            price_round: 1,
            epoch: 0,
            registered: 0,
            figures: Vec::new(),
        };
        stage.register(7, WORKLOAD, DAY_ENDS);
        stage.deploy_pool_and_venue();

        for (owner, token, spender) in
            [(MAKER, at.cash, stage.pool), (ISSUER, at.claim, stage.venue)]
        {
            let approve = abi::CashToken::approveCall { spender, value: U256::MAX };
            stage.transact(owner, token, approve.abi_encode());
        }
        let opened = stage.account;
        stage.move_account("an account opens", Move::Open, 0, Address::ZERO, opened);
        let consideration = 1_000_000 * UNIT;
        let funded = Account { consideration, ..opened };
        stage.move_account("fund, the first", Move::Fund, consideration, Address::ZERO, funded);
        let mandate = word(stage.mandate.commitment());
        let register = Venue::registerMandateCall { mandate_: mandate };
        stage.transact(ISSUER, stage.venue, register.abi_encode());
        stage
    }

    fn deploy_pool_and_venue(&mut self) {
        let at = self.system.at;
        let verifiers = Pool::Verifiers {
            absorb: self.create("AbsorbVerifier", &code("AbsorbVerifier"), &[]),
            absorbMany: Address::ZERO,
            spend: self.create("SpendVerifier", &code("SpendVerifier"), &[]),
            account: self.create("AccountVerifier", &code("AccountVerifier"), &[]),
            clear: self.create("ClearVerifier", &code("ClearVerifier"), &[]),
        };
        let caps = vec![U256::from(1_u128 << 100); 2];
        let arguments = (vec![at.cash, at.claim], caps, U256::from(WINDOW), verifiers);
        let arguments = arguments.abi_encode_params();
        self.pool = self.create("ShieldedPool", &Pool::BYTECODE, &arguments);
        self.place.pool = self.pool.into();
        let status_hash = self.create("StatusHash", &code("StatusHash"), &[]);
        let deployed = VenueDeployment {
            owner: wallet(OWNER).address(),
            issuer: wallet(ISSUER).address(),
            forwarder: at.forwarder,
            workflowId: workflow().id,
            workflowOwner: workflow().owner,
            pool: self.pool,
            statusHash: status_hash,
            registry: at.registry,
            guard: at.guard,
            priceFeed: at.price_feed,
            priceAgeMax: U256::from(86_400),
            tick: U256::from(TICK),
            disclosure: 1,
        };
        let arguments = Venue::constructorCall { d: deployed }.abi_encode();
        self.venue = self.create("DarkPool", &Venue::BYTECODE, &arguments);
        let venue = self.place.venue(&self.venue.into());
        assert_eq!(self.ask(self.pool, &Pool::venueOfCall { caller: self.venue }), word(venue));
        self.mandate.deal.venue = venue;
        self.account.holder.venue = venue;
        self.request.mandate = self.mandate.commitment();
    }

    // What happens

    /// Registers an enclave's key, as nodes do that have seen its evidence.
    pub(super) fn register(&mut self, signer: u8, image: B256, expiry: u64) {
        let (registry, forwarder) = (self.system.at.registry, self.system.at.forwarder);
        let register = EnclaveRegistry::registerCall {
            signer: wallet(signer).address(),
            workloadId: image,
            keyBundleHash: B256::repeat_byte(1),
            expiry,
            trust: 1,
        };
        self.registered += 1;
        let call = register.abi_encode().into();
        let report = self.system.report(registry, call, self.registered, 2);
        let receipt = self.transact(ANYONE, forwarder, report.calldata(registry));
        assert!(self.system.outcome(&receipt).unwrap().delivered);
    }

    /// Opens the request for so many seconds.
    pub(super) fn open_request(&mut self, timeout: u64) {
        self.opened = self.now();
        let call = Venue::requestCollateralCall {
            encryptedAmount: word(self.request.commitment()).into(),
            premiumBps: U256::from(CAP_BPS),
            timeout: U256::from(timeout),
        };
        self.measure("a request", ISSUER, self.venue, call.abi_encode());
        self.id = self.ask(self.venue, &Venue::currentRequestIdCall {});
    }

    /// Deposits, a line under terms if `locked`.
    pub(super) fn deposit(&mut self, what: &str, amount: u128, locked: bool) {
        let (held, call) = self.deposit_call(amount, locked);
        self.next += 1;
        self.measure(what, MAKER, self.pool, call.abi_encode());
        self.waiting.push(held);
    }

    pub(super) fn deposit_call(&self, amount: u128, locked: bool) -> (Held, Pool::depositCall) {
        let number = self.next;
        let terms = locked.then(|| Terms {
            deal: self.mandate.deal,
            payout_owner: keys().payout(number).owner(),
            premium_bps_min: 10,
            price_min: PRICE / 2,
            price_max: PRICE * 2,
            fill_min: UNIT,
            gap_band_max: 9,
            expiry: 1 << 39,
        });
        let held = self.made(amount, terms);
        let words = keys().words(number, amount, held.note.order_hash);
        assert_eq!(words.inner, held.note.inner());
        let call = Pool::depositCall {
            asset_: self.system.at.cash,
            amount: U256::from(amount),
            inner: word(words.inner),
            hint: word(words.hint),
            memo: word(words.memo),
        };
        (held, call)
    }

    /// The next note of cash, waiting to be absorbed.
    fn made(&self, amount: u128, terms: Option<Terms>) -> Held {
        let note = Note {
            asset: element(self.system.at.cash),
            amount,
            owner: keys().line(self.next).owner(),
            order_hash: terms.map_or(Fr::from(0), |terms| terms.hash()),
            rho: keys().rho(self.next),
        };
        Held { note, number: self.next, paid: false, terms, in_venue: false, index: 0 }
    }

    /// Absorbs up to sixteen.
    pub(super) fn absorb(&mut self, what: &str) {
        let call = self.absorb_call();
        self.measure(what, ANYONE, self.pool, call.abi_encode());
        let count = call.count.to::<usize>();
        let leaves: Vec<_> = self.waiting[..count].iter().map(|it| it.note.commitment()).collect();
        let first = self.entry.append(&leaves, absorb::HEIGHT).unwrap();
        for (held, index) in self.waiting.drain(..count).zip(first..) {
            self.held.push(Held { index, ..held });
        }
    }

    pub(super) fn absorb_call(&self) -> Pool::absorbCall {
        let count = self.waiting.len().min(16);
        let mut leaves: Vec<_> =
            self.waiting[..count].iter().map(|it| it.note.commitment()).collect();
        leaves.resize(16, Fr::from(0));
        let index = self.entry.len().next_multiple_of(16);
        let path = self.entry.path(index, absorb::HEIGHT);
        let (statement, proof) =
            provers().absorb.prove(&absorb::Witness { leaves, path }, [1; 32]).unwrap();
        Pool::absorbCall {
            position: U256::from(self.entry_state().head),
            count: U256::from(count),
            rootAfter: word(statement.root_after),
            digest: posted(&statement)[0],
            proof: words(&proof),
        }
    }

    pub(super) fn move_account(
        &mut self,
        what: &str,
        kind: Move,
        amount: u128,
        recipient: Address,
        after: Account,
    ) {
        let call = self.account_call(kind, amount, recipient, after);
        self.measure(what, ISSUER, self.venue, call.abi_encode());
        self.account = after;
    }

    pub(super) fn account_call(
        &self,
        kind: Move,
        amount: u128,
        recipient: Address,
        after: Account,
    ) -> Venue::moveAccountCall {
        let of_pool = match kind {
            Move::Open => Kind::Open,
            Move::Fund => Kind::Fund,
            Move::TakeBack => Kind::TakeBack,
            Move::Release => Kind::Release,
            Move::Resalt => Kind::Resalt,
        };
        let data = keccak256(recipient.abi_encode());
        let index = self.book.len();
        let context = self.place.venue_context(of_pool, &self.venue.into(), index, &data);
        let theirs = Venue::accountContextCall { kind: kind as u8, recipient };
        assert_eq!(self.ask(self.venue, &theirs), word(context));
        let (account, salt) = (self.account, after.salt);
        let witness = account::Witness { context, kind, amount, account, salt };
        let (statement, proof) = provers().account.prove(&witness, [1; 32]).unwrap();
        assert_eq!(statement.after, after.commitment());
        let at = self.system.at;
        let asset = match kind {
            Move::Open | Move::Resalt => Address::ZERO,
            Move::Fund | Move::TakeBack => at.claim,
            Move::Release => at.cash,
        };
        Venue::moveAccountCall {
            r#move: OfPool::Move { kind: kind as u8, asset, amount: U256::from(amount), recipient },
            proof: words(&proof),
            posted: posted(&statement),
        }
    }

    /// Lines that a round could take now.
    pub(super) fn lines(&self) -> Vec<Held> {
        self.held.iter().copied().filter(|it| it.terms.is_some()).collect()
    }

    /// Waits for the next closing and ten seconds more. Returns when it closed.
    pub(super) fn close(&mut self) -> u64 {
        let passed = (self.now() - self.opened) / TICK;
        let closed_at = self.opened + (passed + 1) * TICK;
        self.wait_until(closed_at + 10);
        closed_at
    }

    /// The next round, ten units of each of these lines.
    pub(super) fn round(&self, closed_at: u64, lines: &[Held]) -> clear::Witness {
        let index = self.book.len();
        let mut set = Tree::new(ORDER_DEPTH);
        let leaf = |(place, line): (u64, &Held)| {
            let (receipt, place) = (Fr::from(1), Fr::from(place));
            orders::leaf(line.note.commitment(), receipt, place, line.secret().expose())
        };
        set.append(&(0..).zip(lines).map(leaf).collect::<Vec<_>>(), ORDER_DEPTH).unwrap();
        let slot = |(place, line): (u64, &Held)| {
            let tree = if line.in_venue { &self.book } else { &self.entry };
            Slot {
                amount: line.note.amount,
                spend_key: line.spend_secret().spend_key(),
                nullifier_secret: line.secret(),
                terms: line.terms.unwrap(),
                rho: line.note.rho,
                in_venue: line.in_venue,
                path: tree.path(line.index, 0),
                receipt: 1,
                place: set.path(place, 0),
                fill: 10 * UNIT,
            }
        };
        let mut slots: Vec<_> = (0..).zip(lines).map(slot).collect();
        while slots.len() < SLOTS {
            slots.push(Slot::dummy(&[u8::try_from(slots.len()).unwrap(); 32]));
        }
        let (id, round) = (self.id, self.rounds + 1);
        let root = word(set.root());
        let data = (id, round, U256::from(closed_at), U256::from(PRICE), root).abi_encode();
        let data = keccak256(data);
        clear::Witness {
            round: Round {
                context: self.place.venue_context(Kind::Clear, &self.venue.into(), index, &data),
                entry_root: self.entry.root(),
                venue_root: self.book.root(),
                order_root: set.root(),
                premium_cap_bps: CAP_BPS,
                price: PRICE,
                closed_at,
                disclosure: Shown::Sealed,
            },
            mandate: self.mandate,
            request: self.request,
            account: self.account,
            premium_bps: 40,
            slots: slots.try_into().unwrap_or_else(|_| unreachable!("filled up")),
            path: self.book.path(index, clear::height(SLOTS)),
        }
    }

    /// What the enclave signs and anyone sends.
    pub(super) fn settlement(&self, proven: &Proven) -> Bytes {
        let encoded = self.encoded(VERSION, self.price_round, self.entry_slot(), proven);
        let signature = self.signature(self.rounds + 1, &proven.posted);
        self.fill_call(self.id, encoded, signature)
    }

    pub(super) fn encoded(
        &self,
        version: u16,
        price_round: u128,
        entry_slot: U256,
        Proven { posted, proof }: &Proven,
    ) -> Bytes {
        let price_round = U256::from(price_round);
        (version, price_round, entry_slot, *proof, posted.clone()).abi_encode_params().into()
    }

    /// The enclave's own, over whatever whoever holds its key likes.
    pub(super) fn signature(&self, round: u64, posted: &[U256]) -> Bytes {
        let digest =
            Venue::settlementDigestCall { requestId: self.id, round, postedHash: hash(posted) };
        wallet(self.enclave).sign_hash(&self.ask(self.venue, &digest)).as_bytes().into()
    }

    pub(super) fn fill_call(&self, id: B256, zk_proof: Bytes, signature: Bytes) -> Bytes {
        let call = Venue::confidentialFillCall {
            requestId: id,
            zkProof: zk_proof,
            teeAttestation: signature,
        };
        call.abi_encode().into()
    }

    /// A report of the DON that brings this call to the venue, as calldata of the forwarder.
    pub(super) fn report(&mut self, call: Bytes) -> Bytes {
        self.epoch += 1;
        self.system.report(self.venue, call, self.epoch, 2).calldata(self.venue)
    }

    /// Everyone takes in that this round settled.
    pub(super) fn settled(&mut self, witness: &clear::Witness, lines: &[Held]) {
        let payouts = witness.payouts_ceil().map(Option::unwrap);
        let statement = witness.statement().unwrap();
        let context = witness.round.context;
        let epoch = witness.round.closed_at / witness.mandate.epoch_seconds;
        let paid = payouts.iter().sum();
        let first = self.book.append(&statement.leaves(), clear::height(SLOTS)).unwrap();
        self.account = self.account.after(witness.filled(), paid, epoch, context).unwrap();
        self.request = self.request.after(witness.filled(), context).unwrap();
        self.rounds += 1;
        let venue = self.mandate.deal.venue;
        for (slot, line) in lines.iter().enumerate() {
            let nullifier = line.nullifier(venue);
            self.held.retain(|it| it.nullifier(venue) != nullifier);
            let secret = line.secret();
            let payout = Note {
                asset: element(self.system.at.claim),
                amount: payouts[slot],
                owner: line.terms.unwrap().payout_owner,
                order_hash: Fr::from(0),
                rho: note::payout_rho(secret.expose(), nullifier),
            };
            assert_eq!(payout.commitment(), statement.payouts[slot]);
            let change = Note {
                amount: line.note.amount - witness.slots[slot].fill,
                rho: note::change_rho(secret.expose(), nullifier),
                ..line.note
            };
            assert_eq!(change.commitment(), statement.changes[slot]);
            let (index, in_venue) = (first + slot as u64, true);
            self.held.extend([
                Held { note: payout, paid: true, terms: None, in_venue, index, ..*line },
                Held { note: change, in_venue, index: index + SLOTS as u64, ..*line },
            ]);
        }
    }

    /// The call, and where its change will wait.
    pub(super) fn spend_call(&self, leaving: &Leaving) -> (Pool::spendCall, Option<Held>) {
        let Leaving { inputs, announce, amount, recipient, relayer, fee, change } = leaving;
        let (announce, asset) = (*announce, inputs[0].note.asset);
        let change = (*change != 0).then(|| {
            let held = self.made(*change, None);
            Held { note: Note { asset, ..held.note }, ..held }
        });
        let nothing = [Fr::from(0); 2];
        let [hints, memos] = change.map_or([nothing; 2], |held| {
            let words = keys().words(held.number, held.note.amount, Fr::from(0));
            [[words.hint, Fr::from(0)], [words.memo, Fr::from(0)]]
        });
        let deadline = self.now() + 10 * WINDOW;
        let kind = if announce { Kind::Announce } else { Kind::Spend };
        let exit = Exit {
            recipient: (*recipient).into(),
            relayer: (*relayer).into(),
            fee: *fee,
            deadline,
            hints,
            memos,
        };
        let named = inputs.iter().any(|it| it.in_venue);
        let witness = spend::Witness {
            context: self.place.exit_context(kind, &exit),
            announce,
            entry_root: self.entry.root(),
            venue: if named { self.mandate.deal.venue } else { Fr::from(0) },
            venue_root: if named { self.book.root() } else { zeros()[NOTE_DEPTH] },
            asset,
            inputs: [0, 1].map(|slot| match inputs.get(slot) {
                // Of this note: two spends alike in everything outside have one context.
                None => spend::Input::dummy(&field::to_bytes(
                    &inputs[0].nullifier(self.mandate.deal.venue),
                )),
                Some(held) => spend::Input {
                    amount: held.note.amount,
                    spend_secret: held.spend_secret(),
                    nullifier_secret: held.secret(),
                    order_hash: held.note.order_hash,
                    rho: held.note.rho,
                    in_venue: held.in_venue,
                    path: if held.in_venue { &self.book } else { &self.entry }.path(held.index, 0),
                },
            }),
            outputs: [
                change.map_or((0, Fr::from(0)), |it| (it.note.amount, it.note.inner())),
                (0, Fr::from(0)),
            ]
            .map(|(amount, inner)| spend::Output { amount, inner }),
            amount: *amount,
        };
        let (statement, proof) = provers().spend.prove(&witness, [1; 32]).unwrap();
        let at = self.system.at;
        let call = Pool::spendCall {
            exit: Pool::Exit {
                asset: if asset == element(at.cash) { at.cash } else { at.claim },
                amount: U256::from(*amount),
                recipient: *recipient,
                relayer: *relayer,
                fee: U256::from(*fee),
                deadline: U256::from(deadline),
                hints: hints.map(word),
                memos: memos.map(word),
            },
            entrySlot: self.entry_slot(),
            venueSlot: if named { self.venue_slot() } else { U256::ZERO },
            proof: words(&proof),
            posted: posted(&statement),
        };
        (call, change)
    }

    /// Sent by a stranger, as a relayer would.
    pub(super) fn spend(&mut self, what: &str, leaving: &Leaving) {
        let (call, change) = self.spend_call(leaving);
        self.measure(what, ANYONE, self.pool, call.abi_encode());
        if leaving.announce {
            return;
        }
        let venue = self.mandate.deal.venue;
        let spent: Vec<_> = leaving.inputs.iter().map(|it| it.nullifier(venue)).collect();
        self.held.retain(|it| !spent.contains(&it.nullifier(venue)));
        if let Some(change) = change {
            self.waiting.push(change);
            self.next += 1;
        }
    }

    // The chain

    pub(super) fn now(&self) -> u64 {
        self.system.chain.timestamp()
    }

    pub(super) fn wait_until(&mut self, time: u64) {
        self.system.chain.set_next_timestamp(time.max(self.now())).unwrap();
    }

    /// Of the newest root of the entry tree.
    pub(super) fn entry_slot(&self) -> U256 {
        U256::from(self.entry_state().cursor)
    }

    pub(super) fn entry_state(&self) -> Pool::Entry {
        self.ask(self.pool, &Pool::entryCall {})
    }

    /// Of the newest root of the venue's tree.
    pub(super) fn venue_slot(&self) -> U256 {
        U256::from(self.venue_state().cursor)
    }

    pub(super) fn venue_state(&self) -> Pool::Venue {
        self.ask(self.pool, &Pool::venueCall { venue_: word(self.mandate.deal.venue) })
    }

    /// What a view answers.
    pub(super) fn ask<C: SolCall>(&self, to: Address, call: &C) -> C::Return {
        let params =
            serde_json::json!([{ "to": to, "data": Bytes::from(call.abi_encode()) }, "latest"]);
        let answer = self.system.chain.request("eth_call", params).unwrap();
        let answer: Bytes = serde_json::from_value(answer).unwrap();
        C::abi_decode_returns(&answer).unwrap()
    }

    /// Nothing, or what a call reverts with.
    pub(super) fn attempt(&self, from: u8, to: Address, data: &Bytes) -> Result<(), Bytes> {
        let from = wallet(from).address();
        let params = serde_json::json!([{ "from": from, "to": to, "data": data }, "latest"]);
        let Err(error) = self.system.chain.request("eth_call", params) else { return Ok(()) };
        let data = error.data.as_ref().and_then(|data| data.as_str());
        Err(data.expect("a revert has data").parse().unwrap())
    }

    pub(super) fn include(&self, raw: &RawTransaction) -> TransactionReceipt {
        let params = serde_json::json!([raw.bytes]);
        let receipt = self.system.chain.request("eth_sendRawTransactionSync", params).unwrap();
        serde_json::from_value(receipt).unwrap()
    }

    pub(super) fn raw(&self, from: u8, call: Call) -> RawTransaction {
        let sender = wallet(from);
        let params = serde_json::json!([sender.address(), "latest"]);
        let nonce = self.system.chain.request("eth_getTransactionCount", params).unwrap();
        let nonce: alloy::primitives::U64 = serde_json::from_value(nonce).unwrap();
        sender.sign(nonce.to(), Fees::default(), call)
    }

    pub(super) fn transact(
        &self,
        from: u8,
        to: Address,
        input: impl Into<Bytes>,
    ) -> TransactionReceipt {
        let receipt = self.include(&self.raw(from, Call::new(to, input, 8_000_000)));
        assert!(receipt.status(), "a call of {to} that should succeed");
        receipt
    }

    /// Sends it, and notes what it costs by both rules.
    pub(super) fn measure(&mut self, what: &str, from: u8, to: Address, input: impl Into<Bytes>) {
        let input = input.into();
        let priced = self.price(what, from, to, &input);
        let receipt = self.transact(from, to, input);
        assert_eq!(receipt.gas_used, priced[0], "{what}");
    }

    /// What it costs by both rules, kept under a name unless that is empty; it is not sent.
    pub(super) fn price(&mut self, what: &str, from: u8, to: Address, input: &Bytes) -> [u64; 2] {
        // Nobody's gas limit is a constant under the next rules: more than any of these takes.
        let raw = self.raw(from, Call::new(to, input.clone(), 15_000_000));
        let priced = [Rules::Osaka, Rules::Amsterdam].map(|rules| {
            let priced: Priced = self.system.chain.price(&raw.bytes, rules).unwrap();
            let reason = || self.attempt(from, to, input).err();
            assert!(priced.success, "{what} by the rules of {rules:?}: {:?}", reason());
            // A report whose receiver refuses succeeds as well.
            let said = priced.logs.iter().any(|log| log.address != self.system.at.forwarder);
            assert!(said, "{what} by the rules of {rules:?}: it did nothing");
            priced.gas_used
        });
        self.note(what, priced);
        priced
    }

    fn note(&mut self, what: &str, priced: [u64; 2]) {
        if !what.is_empty() {
            println!("{what}: {} gas, {} by the next rules", priced[0], priced[1]);
            self.figures.push((what.to_owned(), priced));
        }
    }

    fn create(&mut self, name: &str, code: &Bytes, arguments: &[u8]) -> Address {
        let input: Bytes = [&code[..], arguments].concat().into();
        let create = |gas_limit| {
            let (to, value, input) = (TxKind::Create, U256::ZERO, input.clone());
            self.raw(OWNER, Call { to, value, input, gas_limit })
        };
        let receipt = self.include(&create(16_000_000));
        assert!(receipt.status(), "{name} deploys");
        // The price under the next rules is of the same creation at the nonce after.
        let next = self.system.chain.price(&create(200_000_000).bytes, Rules::Amsterdam).unwrap();
        assert!(next.success, "{name} deploys by the next rules");
        self.note(&format!("creation of {name}"), [receipt.gas_used, next.gas_used]);
        receipt.contract_address.unwrap()
    }
}

/// What was compiled of a contract that has no bindings here.
fn code(name: &str) -> Bytes {
    let artifacts =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts/artifacts");
    let text = std::fs::read_to_string(artifacts.join(format!("{name}.json"))).unwrap();
    let artifact: serde_json::Value = serde_json::from_str(&text).unwrap();
    artifact["bytecode"].as_str().unwrap().parse().unwrap()
}

pub(super) fn prove<W: Provable>(prover: &Prover<W>, witness: &W) -> Proven {
    let (statement, proof) =
        prover.prove(witness, [1; 32]).unwrap_or_else(|error| panic!("{error:?}"));
    Proven { posted: posted(&statement), proof: words(&proof) }
}

pub(super) fn provers() -> &'static Provers {
    static PROVERS: OnceLock<Provers> = OnceLock::new();
    PROVERS.get_or_init(|| Provers::new(development_keys))
}

pub(super) fn keys() -> &'static Keys {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    KEYS.get_or_init(|| Keys::new(&[9; 32]).unwrap())
}

pub(super) fn hash(posted: &[U256]) -> B256 {
    let words: Vec<_> = posted.iter().map(U256::to_be_bytes::<32>).collect();
    keccak256(words.as_flattened())
}

pub(super) fn words(proof: &Proof) -> [U256; 8] {
    proof.to_words().map(U256::from_be_bytes)
}

pub(super) fn posted(statement: &impl Published) -> Vec<U256> {
    statement.posted().into_iter().map(U256::from_be_bytes).collect()
}

pub(super) fn element(address: Address) -> Fr {
    field::from_address(&address.into())
}

pub(super) fn word(value: Fr) -> U256 {
    U256::from_be_bytes(field::to_bytes(&value))
}
