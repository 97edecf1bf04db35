//! The issuer's treasury: mandate, account, and its brief.

use core::fmt;
use std::collections::BTreeMap;

use pool::request::Request;
use pool::seal::{self, SecretKey};
use pool::second::account::{Account, Kind, Move, next_salt};
use pool::second::mandate::Mandate;
use pool::second::results::{Brought, Settled};
use pool::{Fr, field, status};
use primitives::{Address, Amount, Duration, Premium, RequestId, decode, encode, keccak256};
use protocol::abi::address;
use protocol::second::{BRIEF_INFO, Brief, Fact, SLOTS, SignedBrief, TICK_NOTICE_INFO, TickNotice};
use protocol::wire::Word;

use super::{Error, Market};
use crate::Secrets;

/// Requests that could still be made from recent ticks' commitments: as many as an enclave keeps.
const REQUESTS_MAX: usize = 288;

/// What an issuer allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mandated {
    /// The most that is raised in an epoch.
    pub amount_max: Amount,
    /// How long an epoch is; epochs begin with Unix time. Not 0.
    pub epoch: Duration,
    /// The most that is paid for it.
    pub premium_max: Premium,
    /// Fills are multiples of it. Not 0.
    pub lot: Amount,
    /// Smallest fill that may take a slot, unless it is all that is left.
    pub slot_min: Amount,
}

/// A move of the account, to be proven and sent: what `DarkPool.moveAccount` takes beside the proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountMove {
    /// What a proof of it takes; it holds until the venue settles a round or the account moves.
    pub plan: Move,
    /// The token that moves; zero if none does.
    pub asset: Address,
    /// Who gets what is taken; zero if nothing is.
    pub recipient: Address,
}

/// An issuer's mandate and account. What it has it learns from the chain and its secrets alone.
pub struct Issuer {
    secrets: Secrets,
    market: Market,
    mandate: Mandate,
    n_mandates: u64,
    /// As the chain holds it, once it is open.
    account: Option<Account>,
    /// Salts that were drawn and not derived: of the opening and of each re-salting.
    n_salts: u64,
    /// Where the venue's tree goes on.
    next_index: u64,
    /// Behind the deficits of recent ticks.
    requests: BTreeMap<u32, Request>,
    live: Option<Live>,
    viewing: SecretKey,
}

/// The last request, as it stands.
struct Live {
    id: RequestId,
    request: Request,
    /// Plain status of the last settled round, and what opens its commitment.
    status: Option<(u8, Fr)>,
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Issuer")
    }
}

impl Issuer {
    /// Writes a mandate.
    ///
    /// # Errors
    /// [`Error::Decimals`].
    pub fn new(mandated: &Mandated, market: Market, secrets: Secrets) -> Result<Self, Error> {
        let viewing = SecretKey::from_ikm(&secrets.draw("viewing", 0));
        let mandate = mandate(mandated, &market, &secrets, 0)?;
        Ok(Self {
            secrets,
            market,
            mandate,
            n_mandates: 1,
            account: None,
            n_salts: 0,
            next_index: 0,
            requests: BTreeMap::new(),
            live: None,
            viewing,
        })
    }

    /// The mandate, as `registerMandate` takes it.
    pub fn mandate(&self) -> Word {
        field::to_bytes(&self.mandate.commitment())
    }

    /// Writes another mandate in the place of the one before. It holds once it is registered, which the venue allows
    /// while no request is open, and every enclave has to be briefed again.
    ///
    /// # Errors
    /// [`Error::Decimals`].
    pub fn renew(&mut self, mandated: &Mandated) -> Result<Word, Error> {
        self.mandate = mandate(mandated, &self.market, &self.secrets, self.n_mandates)?;
        self.n_mandates += 1;
        Ok(self.mandate())
    }

    /// What it has, as far as the chain was followed.
    pub const fn account(&self) -> Option<&Account> {
        self.account.as_ref()
    }

    /// The last request as it stands, if a notice told of it.
    pub fn request(&self) -> Option<&Request> {
        self.live.as_ref().map(|live| &live.request)
    }

    /// What `openRequest` takes: the plain status of the last settled round of the last request, and the salt.
    pub fn opening(&self) -> Option<(RequestId, u8, Word)> {
        let live = self.live.as_ref()?;
        let (status, salt) = live.status?;
        Some((live.id, status, field::to_bytes(&salt)))
    }

    // Moves

    /// Opens the account, empty.
    ///
    /// # Errors
    /// [`Error::Account`] if it is open.
    pub fn open(&self) -> Result<AccountMove, Error> {
        if self.account.is_some() {
            return Err(Error::Account { what: "open already", hint: "fund it" });
        }
        let account = Account::open(self.market.holder(), self.salt(0));
        self.plan(Kind::Open, Amount::ZERO, Address([0; 20]), account)
    }

    /// Adds consideration, of which the venue has the issuer's approval.
    ///
    /// # Errors
    /// [`Error::Account`] and [`Error::OutOfRange`].
    pub fn fund(&self, amount: Amount) -> Result<AccountMove, Error> {
        self.plan(Kind::Fund, amount, Address([0; 20]), self.known()?)
    }

    /// Takes consideration back.
    ///
    /// # Errors
    /// [`Error::Account`] and [`Error::OutOfRange`].
    pub fn take_back(&self, amount: Amount) -> Result<AccountMove, Error> {
        self.plan(Kind::TakeBack, amount, self.market.issuer, self.known()?)
    }

    /// Takes collateral out, to a registered reserve wallet.
    ///
    /// # Errors
    /// [`Error::Account`] and [`Error::OutOfRange`].
    pub fn release(&self, amount: Amount, recipient: Address) -> Result<AccountMove, Error> {
        self.plan(Kind::Release, amount, recipient, self.known()?)
    }

    /// Changes the salt to one that no enclave was told: whoever was briefed before can settle nothing any more.
    ///
    /// # Errors
    /// [`Error::Account`].
    pub fn resalt(&self) -> Result<AccountMove, Error> {
        self.plan(Kind::Resalt, Amount::ZERO, Address([0; 20]), self.known()?)
    }

    fn known(&self) -> Result<Account, Error> {
        self.account.ok_or(Error::Account {
            what: "not open, or not followed from its opening on",
            hint: "open it, or hear every fact of the venue",
        })
    }

    fn plan(
        &self,
        kind: Kind,
        amount: Amount,
        recipient: Address,
        before: Account,
    ) -> Result<AccountMove, Error> {
        let amount = amount.units();
        let context = self.context(kind, recipient);
        let after = before.moved(kind, amount, self.salt_after(kind, &before, context));
        let after = after.ok_or(Error::OutOfRange { kind, amount })?;
        let asset = match kind {
            Kind::Open | Kind::Resalt => Address([0; 20]),
            Kind::Fund | Kind::TakeBack => self.market.consideration,
            Kind::Release => self.market.collateral,
        };
        Ok(AccountMove { plan: Move { kind, context, amount, before, after }, asset, recipient })
    }

    fn context(&self, kind: Kind, recipient: Address) -> Fr {
        let data = keccak256(&[&address(recipient)]);
        let venue = &self.market.venue.0;
        self.market.deployment().venue_context(kind.into(), venue, self.next_index, &data)
    }

    /// Of what moves tokens derived from the salt before, so that a briefed enclave follows; else drawn anew.
    fn salt_after(&self, kind: Kind, before: &Account, context: Fr) -> Fr {
        match kind {
            Kind::Open | Kind::Resalt => self.salt(self.n_salts),
            Kind::Fund | Kind::TakeBack | Kind::Release => next_salt(before.salt, context),
        }
    }

    fn salt(&self, number: u64) -> Fr {
        field::from_entropy(&self.secrets.draw("account.salt", number))
    }

    // The chain

    /// Takes the next fact of the venue in, and tells what a settlement brought. To be told all of them, each once.
    pub fn hear(&mut self, fact: &Fact) -> Option<Brought> {
        match fact {
            Fact::AccountMoved { kind, amount, recipient, account } => {
                self.moved(Kind::from_number(*kind)?, *amount, *recipient, &account.0);
                None
            }
            Fact::RequestOpened { id, commitment, .. } => {
                let mut recent = self.requests.values().rev();
                let request =
                    recent.find(|request| field::to_bytes(&request.commitment()) == commitment.0);
                self.live =
                    request.map(|request| Live { id: *id, request: *request, status: None });
                None
            }
            Fact::RoundSettled { id, posted, .. } => self.settled(*id, posted),
            Fact::RequestExpired { .. }
            | Fact::RequestCancelled { .. }
            | Fact::RequestRevealed { .. }
            | Fact::RecoveryAttested { .. }
            | Fact::StatusReported { .. }
            | Fact::Halted
            | Fact::ReportExecuted { .. }
            | Fact::MandateRegistered { .. }
            | Fact::Absorbed { .. }
            | Fact::Spent { .. }
            | Fact::Announced { .. } => None,
        }
    }

    fn moved(&mut self, kind: Kind, amount: Amount, recipient: Address, account: &Word) {
        let before = match kind {
            Kind::Open => Some(Account::open(self.market.holder(), self.salt(self.n_salts))),
            Kind::Fund | Kind::TakeBack | Kind::Release | Kind::Resalt => self.account,
        };
        let context = self.context(kind, recipient);
        self.account = before
            .and_then(|before| {
                let salt = self.salt_after(kind, &before, context);
                before.moved(kind, amount.units(), salt)
            })
            .filter(|after| field::to_bytes(&after.commitment()) == *account);
        self.n_salts += u64::from(matches!(kind, Kind::Open | Kind::Resalt));
    }

    fn settled(&mut self, id: RequestId, posted: &[Word]) -> Option<Brought> {
        self.next_index += (2 * SLOTS) as u64;
        let posted = posted.iter().map(|word| field::from_bytes(word).ok());
        let settled = Settled::from_posted(&posted.collect::<Option<Vec<_>>>()?)?;
        let epoch_seconds = self.mandate.epoch_seconds;
        let after = self.account.and_then(|account| account.settled(&settled, epoch_seconds));
        self.account = after.map(|(account, _)| account);
        let (_, brought) = after?;
        if let Some(live) = self.live.as_mut().filter(|live| live.id == id) {
            let salt = status::salt(live.request.salt, settled.context);
            live.request = live.request.after(brought.filled, settled.context)?;
            live.status = Some((status::of(&live.request), salt));
        }
        Some(brought)
    }

    // The enclave

    /// What a tick looked like from inside. The request behind its deficit is kept.
    pub fn read_tick(&mut self, tick: u32, notice: &[u8]) -> Option<TickNotice> {
        let plain =
            seal::open(&self.viewing, TICK_NOTICE_INFO, &tick.to_be_bytes(), notice).ok()?;
        let notice: TickNotice = decode(&plain).ok()?;
        let request = Request::from_bytes(&notice.request).ok()?;
        self.requests.insert(tick, request);
        if self.requests.len() > REQUESTS_MAX {
            self.requests.pop_first();
        }
        Some(notice)
    }

    /// The brief for an enclave whose evidence the issuer has checked, of mandate, account and request as they are now.
    /// `sign` is the issuer's account, wherever its key lives: r ‖ s ‖ v over the digest it is given.
    ///
    /// # Errors
    /// [`Error::Account`]; [`Error::Seal`] if the key is no key.
    pub fn brief(
        &self,
        enclave: &Word,
        sign: impl FnOnce(&[u8; 32]) -> [u8; 65],
    ) -> Result<Vec<u8>, Error> {
        let brief = Brief {
            mandate: self.mandate.to_bytes().to_vec(),
            account: self.known()?.to_bytes().to_vec(),
            request: self.live.as_ref().map(|live| live.request.to_bytes().to_vec()),
            viewing_key: self.viewing.public_key(),
        };
        let digest = brief.digest(enclave);
        let signature = sign(&digest).to_vec();
        let message = encode(&SignedBrief { brief, signature });
        // Another brief is another message, which must not share an ephemeral key with this one.
        let entropy =
            keccak256(&[&self.secrets.draw("brief", 0), &keccak256(&[&message]), enclave]);
        seal::seal(enclave, BRIEF_INFO, &[], &message, entropy)
            .map_err(|source| Error::Seal { what: "the brief", source })
    }
}

fn mandate(
    mandated: &Mandated,
    market: &Market,
    secrets: &Secrets,
    number: u64,
) -> Result<Mandate, Error> {
    Ok(Mandate {
        deal: market.deal()?,
        collateral_asset: field::from_address(&market.collateral.0),
        premium_bps_max: mandated.premium_max.bps(),
        price_min: market.price[0].0,
        price_max: market.price[1].0,
        expiry: market.expiry.0,
        epoch_seconds: mandated.epoch.0,
        amount_max: mandated.amount_max.units(),
        lot: mandated.lot.units(),
        slot_min: mandated.slot_min.units(),
        salt: field::from_entropy(&secrets.draw("mandate.salt", number)),
    })
}
