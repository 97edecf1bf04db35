//! World state with an undo journal.
//!
//! Accounts and storage are keyed by the Keccak-256 of their address or slot, the order of the
//! state trie, so that a root is a walk in key order. Every write pushes what it overwrote; going
//! back to an earlier mark serves reverted snapshots, failed appends and calls on an old block
//! alike.

use std::collections::BTreeMap;
use std::convert::Infallible;

use alloy_trie::{EMPTY_ROOT_HASH, TrieAccount, root};
use evm::alloy::primitives::{Address, B256, KECCAK256_EMPTY, U256, keccak256, map::AddressMap};
use revm::DatabaseRef;
use revm::bytecode::Bytecode;
use revm::state::{Account, AccountInfo};

/// What one write replaced.
#[derive(Clone, Debug)]
enum Undo {
    Account(B256, Option<TrieAccount>),
    Slot(B256, B256, U256),
}

/// Accounts, storage and code after some number of writes.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    accounts: BTreeMap<B256, TrieAccount>,
    /// Zero values are absent, empty maps too.
    storage: BTreeMap<B256, BTreeMap<B256, U256>>,
    /// Grows only: code is addressed by its hash, so a stale entry is merely unused.
    codes: BTreeMap<B256, Bytecode>,
    undo: Vec<Undo>,
}

impl State {
    /// Number of writes so far: an argument for [`State::roll_back`].
    pub(crate) fn mark(&self) -> usize {
        self.undo.len()
    }

    /// Takes back every write after `mark`.
    pub(crate) fn roll_back(&mut self, mark: usize) {
        while self.undo.len() > mark {
            match self.undo.pop().expect("the length was just compared") {
                Undo::Account(key, Some(old)) => {
                    self.accounts.insert(key, old);
                }
                Undo::Account(key, None) => {
                    self.accounts.remove(&key);
                }
                Undo::Slot(account, slot, old) => {
                    self.put_slot(account, slot, old);
                }
            }
        }
    }

    /// Applies the state changes of one executed transaction.
    pub(crate) fn commit(&mut self, changes: AddressMap<Account>) {
        // The iteration order of these maps is arbitrary; the undo journal's must not be.
        let changes: BTreeMap<Address, Account> = changes.into_iter().collect();
        for (address, account) in changes {
            if !account.is_touched() {
                continue;
            }
            let key = keccak256(address);
            if account.is_selfdestructed() || account.is_empty() {
                self.delete(key);
                continue;
            }
            let changed: BTreeMap<_, _> = account.changed_storage_slots().collect();
            for (slot, value) in changed {
                self.set_slot(key, B256::from(*slot), value.present_value);
            }
            if let Some(code) = account.info.code
                && account.info.code_hash != KECCAK256_EMPTY
            {
                self.codes.entry(account.info.code_hash).or_insert(code);
            }
            let storage_root = self.storage_root(key);
            self.set_account(
                key,
                TrieAccount {
                    nonce: account.info.nonce,
                    balance: account.info.balance,
                    storage_root,
                    code_hash: account.info.code_hash,
                },
            );
        }
    }

    /// Root of the state trie.
    pub(crate) fn root(&self) -> B256 {
        root::state_root(self.accounts.iter().map(|(key, account)| (*key, *account)))
    }

    pub(crate) fn balance(&self, address: Address) -> U256 {
        self.account(address).map_or(U256::ZERO, |account| account.balance)
    }

    pub(crate) fn nonce(&self, address: Address) -> u64 {
        self.account(address).map_or(0, |account| account.nonce)
    }

    pub(crate) fn code(&self, address: Address) -> Bytecode {
        self.account(address)
            .and_then(|account| self.codes.get(&account.code_hash))
            .cloned()
            .unwrap_or_default()
    }

    pub(crate) fn slot(&self, address: Address, slot: U256) -> U256 {
        let slots = self.storage.get(&keccak256(address));
        slots.and_then(|slots| slots.get(&keccak256(B256::from(slot)))).copied().unwrap_or_default()
    }

    pub(crate) fn set_balance(&mut self, address: Address, balance: U256) {
        self.edit(address, |account| account.balance = balance);
    }

    pub(crate) fn set_nonce(&mut self, address: Address, nonce: u64) {
        self.edit(address, |account| account.nonce = nonce);
    }

    pub(crate) fn set_code(&mut self, address: Address, code: Bytecode) {
        let code_hash = code.hash_slow();
        self.codes.insert(code_hash, code);
        self.edit(address, |account| account.code_hash = code_hash);
    }

    pub(crate) fn set_storage(&mut self, address: Address, slot: U256, value: U256) {
        let key = keccak256(address);
        self.set_slot(key, B256::from(slot), value);
        let storage_root = self.storage_root(key);
        self.edit(address, |account| account.storage_root = storage_root);
    }

    fn account(&self, address: Address) -> Option<&TrieAccount> {
        self.accounts.get(&keccak256(address))
    }

    fn edit(&mut self, address: Address, edit: impl FnOnce(&mut TrieAccount)) {
        let key = keccak256(address);
        let mut account = self.accounts.get(&key).copied().unwrap_or(TrieAccount {
            nonce: 0,
            balance: U256::ZERO,
            storage_root: EMPTY_ROOT_HASH,
            code_hash: KECCAK256_EMPTY,
        });
        edit(&mut account);
        self.set_account(key, account);
    }

    fn set_account(&mut self, key: B256, account: TrieAccount) {
        let old = self.accounts.insert(key, account);
        self.undo.push(Undo::Account(key, old));
    }

    fn set_slot(&mut self, account: B256, slot: B256, value: U256) {
        let slot = keccak256(slot);
        let old = self.put_slot(account, slot, value);
        self.undo.push(Undo::Slot(account, slot, old));
    }

    /// `slot` is hashed already. Returns what was there.
    fn put_slot(&mut self, account: B256, slot: B256, value: U256) -> U256 {
        let slots = self.storage.entry(account).or_default();
        let old = if value.is_zero() { slots.remove(&slot) } else { slots.insert(slot, value) };
        if slots.is_empty() {
            self.storage.remove(&account);
        }
        old.unwrap_or_default()
    }

    fn delete(&mut self, key: B256) {
        let slots = self.storage.remove(&key).unwrap_or_default();
        self.undo.extend(slots.into_iter().map(|(slot, old)| Undo::Slot(key, slot, old)));
        if let Some(old) = self.accounts.remove(&key) {
            self.undo.push(Undo::Account(key, Some(old)));
        }
    }

    fn storage_root(&self, key: B256) -> B256 {
        let Some(slots) = self.storage.get(&key) else { return EMPTY_ROOT_HASH };
        root::storage_root(slots.iter().map(|(slot, value)| (*slot, *value)))
    }
}

/// The state as the EVM reads it, with the hashes of past blocks.
#[derive(Debug)]
pub(crate) struct View<'a> {
    pub(crate) state: &'a State,
    /// By block number, from genesis.
    pub(crate) hashes: &'a [B256],
}

impl DatabaseRef for View<'_> {
    type Error = Infallible;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, Infallible> {
        Ok(self.state.account(address).map(|account| {
            let info = AccountInfo::from_balance(account.balance).with_nonce(account.nonce);
            match self.state.codes.get(&account.code_hash) {
                Some(code) => info.with_code_and_hash(code.clone(), account.code_hash),
                None => info,
            }
        }))
    }

    fn code_by_hash_ref(&self, code_hash: B256) -> Result<Bytecode, Infallible> {
        Ok(self.state.codes.get(&code_hash).cloned().unwrap_or_default())
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, Infallible> {
        Ok(self.state.slot(address, slot))
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, Infallible> {
        let number = usize::try_from(number).ok();
        Ok(number.and_then(|number| self.hashes.get(number)).copied().unwrap_or_default())
    }
}
