//! `confidential-workflows@1.0.0-alpha`: a workflow's handler in a TEE, seen from the nodes.
//!
//! Every node signs the request, checks the evidence of the runner before it signs, of each thing the runner asks
//! for before it answers, and of the result before it takes it: the measurement, the root and the age by a policy
//! of its own, and that exactly this was attested. Nothing goes on without a quorum of nodes. What crosses the
//! runner's socket is [`runner::wire`].

use std::fmt;
use std::sync::{Mutex, PoisonError};

use attestation::{Anchors, Policy, verify};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use cre::messages::confidential_workflows::{ConfidentialWorkflowResponse, WorkflowExecution};
use cre::messages::sdk::{
    CapabilityRequest, ExecuteRequest, ExecutionResult, GetSecretsRequest, SecretRequest,
    TeeTypeAndRegions,
};
use ed25519_dalek::{Signer as _, SigningKey};
use engine::{Mode, World};
use primitives::{hex, sha256};
use prost::Message as _;
use runner::hash::{
    APP_ID, ComputeRequest, EnclaveConfig, VERSION_LEGACY, domain_hash, signed_by_node,
    signed_by_relay,
};
use runner::relay::{
    CAPABILITY, CapabilityParams, Config, Execution, SECRETS, SecretEntry, SecretId, SecretsParams,
};
use runner::wire::{
    Ask, Configuration, FromRunner, Limits, Reply, Signed, ToRunner, configured, decode, encode,
};

use crate::{Program, ProgramError, TeeRunner};

/// A node, as far as runners concern it.
pub struct Peer {
    /// Signs requests and answers.
    pub key: SigningKey,
    /// Which roots it believes.
    pub anchors: Anchors,
    /// Which runners it believes.
    pub policy: Policy,
}

impl fmt::Debug for Peer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Peer({})", hex(&self.key.verifying_key().to_bytes()))
    }
}

/// A workflow and its DON, to whoever launches a runner for them.
pub struct Setup<'a> {
    /// The nodes, in order.
    pub peers: Vec<Peer>,
    /// How many of them may be faulty.
    pub f: u32,
    /// How much the workflow may use.
    pub limits: Limits,
    /// Its module, raw or brotli.
    pub module: Vec<u8>,
    /// Its id.
    pub workflow_id: [u8; 32],
    /// Its owner's address.
    pub owner: [u8; 20],
    /// What the runner is, and where.
    pub tee: TeeTypeAndRegions,
    /// Unix milliseconds.
    pub now_ms: Box<dyn Fn() -> u64 + Send + Sync + 'a>,
}

impl fmt::Debug for Setup<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Setup({:?}, f = {})", self.peers, self.f)
    }
}

impl Setup<'_> {
    /// What the runner has to be launched with: PCR2 measures it.
    #[must_use]
    pub fn configuration(&self) -> Configuration {
        configuration(self.peers.iter().map(|peer| &peer.key), self.f, self.limits)
    }
}

/// The configuration of a runner for nodes of these keys, in order, `f` of which may be faulty.
pub fn configuration<'k>(
    keys: impl IntoIterator<Item = &'k SigningKey>,
    f: u32,
    limits: Limits,
) -> Configuration {
    let signers = keys.into_iter().map(|key| key.verifying_key().to_bytes()).collect();
    // No vault, so no key of one and no threshold.
    let enclave = EnclaveConfig { signers, master_public_key: Vec::new(), t: 0, f };
    Configuration { enclave, limits }
}

/// Sends the runner one frame and waits for the next of its own.
pub type Socket<'a> =
    Box<dyn FnMut(&[u8]) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> + Send + 'a>;

/// Why a runner is not used, or its result not taken.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is gone, or does not answer.
    #[error("the runner does not answer")]
    Socket(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It said something that does not belong here.
    #[error("the runner said something that is not an answer to {to}")]
    Unexpected {
        /// To what.
        to: &'static str,
    },
    /// It refused, or the workflow came to no result.
    #[error("the runner gave no result: {reason}")]
    Refused {
        /// In its words.
        reason: String,
    },
    /// Too few nodes believe it.
    #[error(
        "{accepting} of {n} nodes accept the runner's evidence of {what}, {quorum} have to; \
         the first that does not: {reason}"
    )]
    Evidence {
        /// Of what.
        what: &'static str,
        /// How many do.
        accepting: usize,
        /// Of how many.
        n: usize,
        /// How many have to.
        quorum: usize,
        /// Why one does not.
        reason: String,
    },
}

/// A runner at work for a workflow.
pub struct Confidential<'a> {
    setup: Setup<'a>,
    config: EnclaveConfig,
    public_key: [u8; 32],
    socket: Mutex<Socket<'a>>,
}

impl fmt::Debug for Confidential<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Confidential({:?})", self.setup)
    }
}

impl<'a> Confidential<'a> {
    /// Configures a runner that was launched with [`Setup::configuration`], and has every node check it.
    ///
    /// # Errors
    /// [`Error`].
    pub fn start(setup: Setup<'a>, mut socket: Socket<'a>) -> Result<Self, Error> {
        let configuration = setup.configuration();
        let config = configuration.enclave.clone();
        let answer = ask(&mut socket, &ToRunner::Configure(configuration), "its configuration")?;
        let FromRunner::Configured { public_key, document } = answer else {
            return Err(refused(answer, "its configuration"));
        };
        let started = Self { setup, config, public_key, socket: Mutex::new(socket) };
        let attested = configured(&public_key, &started.config);
        started.believed("its key", &document, &attested)?;
        Ok(started)
    }

    /// Asks every node; the places of those that accept.
    fn believed(
        &self,
        what: &'static str,
        document: &[u8],
        attested: &[u8; 32],
    ) -> Result<Vec<usize>, Error> {
        let now = (self.setup.now_ms)();
        let (mut accepting, mut reason) = (Vec::new(), None);
        for (place, peer) in self.setup.peers.iter().enumerate() {
            match verify(document, &peer.anchors, &peer.policy, now) {
                Ok(evidence) if evidence.claims().user_data() == Some(&attested[..]) => {
                    accepting.push(place);
                }
                Ok(_) => {
                    reason.get_or_insert_with(|| "something else was attested".to_owned());
                }
                Err(error) => {
                    reason.get_or_insert_with(|| error.to_string());
                }
            }
        }
        let n = self.setup.peers.len();
        let quorum = (n + self.setup.f as usize) / 2 + 1;
        if accepting.len() < quorum {
            let (accepting, reason) = (accepting.len(), reason.unwrap_or_default());
            return Err(Error::Evidence { what, accepting, n, quorum, reason });
        }
        Ok(accepting)
    }

    fn sign(&self, places: &[usize], message: &[u8]) -> Vec<Signed> {
        let sign = |place: &usize| Signed {
            node: u32::try_from(*place).expect("a DON's size"),
            signature: self.setup.peers[*place].key.sign(message).to_bytes(),
        };
        places.iter().map(sign).collect()
    }

    fn request(&self, execution_id: &str, asked: &ExecuteRequest) -> ComputeRequest {
        let execution = WorkflowExecution {
            workflow_id: hex(&self.setup.workflow_id),
            binary_hash: sha256(&[&self.setup.module]).to_vec(),
            owner: self.owner(),
            execution_id: execution_id.to_owned(),
            sdk_execute_request: Some(asked.clone()),
            ..WorkflowExecution::default()
        };
        ComputeRequest {
            request_id: sha256(&[execution_id.as_bytes()]),
            application_request_id: execution_id.to_owned(),
            public_data: execution.encode_to_vec(),
            ciphertexts: Vec::new(),
            ciphertext_names: Vec::new(),
            enclave_ephemeral_public_key: self.public_key.to_vec(),
            master_public_key: Vec::new(),
            app_id: APP_ID.to_owned(),
            version: VERSION_LEGACY.to_owned(),
        }
    }

    fn owner(&self) -> String {
        format!("0x{}", hex(&self.setup.owner))
    }

    fn execute(
        &self,
        asked: &ExecuteRequest,
        world: &mut dyn World,
    ) -> Result<ExecutionResult, Error> {
        let socket = &mut *self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        let execution_id = world.execution_id().to_owned();
        let request = self.request(&execution_id, asked);
        let everyone: Vec<usize> = (0..self.setup.peers.len()).collect();
        let mut session = Session {
            runner: self,
            of: Execution {
                workflow_id: hex(&self.setup.workflow_id),
                owner: self.owner(),
                execution_id,
                org_id: String::new(),
            },
            world,
            begun: Vec::new(),
        };
        let mut said = ask(
            socket,
            &ToRunner::Execute {
                signatures: self.sign(&everyone, &signed_by_node(&request.hash())),
                request: request.clone(),
                module: self.setup.module.clone(),
            },
            "a request",
        )?;
        loop {
            match said {
                FromRunner::Asked(one) => {
                    let reply = session.reply(one)?;
                    said = ask(socket, &ToRunner::Reply(reply), "a reply")?;
                }
                FromRunner::Finished { output, document, lines } => {
                    session.log(lines);
                    let attested = request.result(&output, &self.config);
                    self.believed("its result", &document, &attested)?;
                    return ConfidentialWorkflowResponse::decode(&output[..])
                        .ok()
                        .and_then(|response| response.sdk_execution_result)
                        .ok_or(Error::Unexpected { to: "a request" });
                }
                FromRunner::Refused { reason, lines } => {
                    session.log(lines);
                    return Err(Error::Refused { reason });
                }
                FromRunner::Configured { .. } => {
                    return Err(Error::Unexpected { to: "a request" });
                }
            }
        }
    }
}

impl Program for Confidential<'_> {
    fn run(
        &self,
        request: &ExecuteRequest,
        world: &mut dyn World,
    ) -> Result<ExecutionResult, ProgramError> {
        self.execute(request, world).map_err(|error| ProgramError::Failed(Box::new(error)))
    }
}

impl TeeRunner for Confidential<'_> {
    fn tee(&self) -> TeeTypeAndRegions {
        self.setup.tee.clone()
    }
}

/// One execution, on the nodes' side.
struct Session<'s, 'a> {
    runner: &'s Confidential<'a>,
    of: Execution,
    world: &'s mut dyn World,
    /// Calls begun, and who believed them.
    begun: Vec<(i32, CapabilityParams, Vec<usize>)>,
}

impl Session<'_, '_> {
    fn reply(&mut self, asked: Ask) -> Result<Reply, Error> {
        Ok(match asked {
            Ask::Call { is_node_mode, params, document } => {
                let attested = domain_hash(CAPABILITY, &params.json());
                let places = self.runner.believed("a call", &document, &attested)?;
                let request = self.called(&params)?;
                let callback_id = request.callback_id;
                let begun = self.world.call(mode(is_node_mode), request);
                if begun.is_ok() {
                    self.begun.push((callback_id, params, places));
                }
                Reply::Begun(begun)
            }
            Ask::Await { callback_id } => {
                let found = self.begun.iter().position(|(begun, ..)| *begun == callback_id);
                let found = found.ok_or(Error::Unexpected { to: "a reply" })?;
                let (_, params, places) = self.begun.swap_remove(found);
                match self.world.answer(callback_id) {
                    Ok(response) => {
                        let payload = STANDARD.encode(response.encode_to_vec());
                        let hash = params.answered(Ok(&payload));
                        let signatures = self.runner.sign(&places, &signed_by_relay(&hash));
                        Reply::Answered { result: Ok(payload), signatures }
                    }
                    Err(reason) => Reply::Failed(reason),
                }
            }
            Ask::Secrets { params, document } => {
                let attested = domain_hash(SECRETS, &params.json());
                let places = self.runner.believed("a request for secrets", &document, &attested)?;
                self.ours(&params.of, &params.enclave_config)?;
                match self.sealed(&params, &attested)? {
                    Ok(entries) => {
                        let hash = params.answered(&entries);
                        let signatures = self.runner.sign(&places, &signed_by_relay(&hash));
                        Reply::Secrets { entries, signatures }
                    }
                    Err(reason) => Reply::Failed(reason),
                }
            }
            Ask::Now { is_node_mode } => Reply::Now(self.world.now(mode(is_node_mode))),
        })
    }

    /// The call that the parameters describe, if they describe one, of this execution.
    fn called(&self, params: &CapabilityParams) -> Result<CapabilityRequest, Error> {
        self.ours(&params.of, &params.enclave_config)?;
        STANDARD
            .decode(&params.payload)
            .ok()
            .and_then(|bytes| CapabilityRequest::decode(&bytes[..]).ok())
            .filter(|request| {
                request.id == params.capability_id
                    && request.callback_id.to_string() == params.reference_id
            })
            .ok_or(Error::Unexpected { to: "a request" })
    }

    fn ours(&self, of: &Execution, config: &Config) -> Result<(), Error> {
        if *of == self.of && config.0 == self.runner.config {
            return Ok(());
        }
        Err(Error::Unexpected { to: "a request" })
    }

    /// The secrets, each sealed to the runner; or why the workflow gets none.
    fn sealed(
        &mut self,
        params: &SecretsParams,
        asked: &[u8; 32],
    ) -> Result<Result<Vec<SecretEntry>, String>, Error> {
        let one =
            |id: &SecretId| SecretRequest { id: id.key.clone(), namespace: id.namespace.clone() };
        let requests: Vec<SecretRequest> = params.secrets.iter().map(one).collect();
        let responses = match self.world.secrets(GetSecretsRequest { requests, callback_id: 0 }) {
            Ok(responses) => responses.responses,
            Err(reason) => return Ok(Err(reason)),
        };
        let Setup { peers, .. } = &self.runner.setup;
        let seed = peers.first().map(|peer| peer.key.to_bytes()).unwrap_or_default();
        let entries = params.secrets.iter().zip(responses).zip(0_u64..);
        let sealed = entries.map(|((id, response), place)| {
            let plaintext = response.encode_to_vec();
            // Bound to the plaintext too: a secret that changed is never sealed with entropy used before.
            let entropy = sha256(&[
                &b"cdpr/relay/secrets/v1"[..],
                &seed,
                asked,
                &place.to_be_bytes(),
                &plaintext,
            ]);
            let sealed = runner::seal::seal(&self.runner.public_key, asked, &plaintext, entropy)
                .map_err(|_| Error::Unexpected { to: "its configuration" })?;
            let ciphertext = STANDARD.encode(sealed);
            Ok(SecretEntry { id: id.clone(), ciphertext, encrypted_shares: Vec::new() })
        });
        Ok(Ok(sealed.collect::<Result<_, Error>>()?))
    }

    fn log(&mut self, lines: Vec<runner::wire::Line>) {
        for line in lines {
            self.world.log(mode(line.is_node_mode), &line.text);
        }
    }
}

fn ask(
    socket: &mut Socket<'_>,
    question: &ToRunner,
    what: &'static str,
) -> Result<FromRunner, Error> {
    let answer = socket(&encode(question)).map_err(Error::Socket)?;
    decode(&answer).ok_or(Error::Unexpected { to: what })
}

fn refused(said: FromRunner, to: &'static str) -> Error {
    match said {
        FromRunner::Refused { reason, .. } => Error::Refused { reason },
        FromRunner::Configured { .. } | FromRunner::Asked(_) | FromRunner::Finished { .. } => {
            Error::Unexpected { to }
        }
    }
}

const fn mode(is_node_mode: bool) -> Mode {
    if is_node_mode { Mode::Node } else { Mode::Don }
}
