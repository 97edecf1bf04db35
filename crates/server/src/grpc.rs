//! The service as a Chainlink node calls a capability: `BaseCapability`, `Executable` and
//! `TriggerExecutable`, on a unix socket or on loopback. A node reaches such a server through a thin Go
//! plugin, or one day directly; neither TLS nor credentials, since both ends are one machine.
//!
//! Refusals travel inside answers, as text; a gRPC status is only for what no capability said. A trigger's
//! stream begins with an acknowledgement or with the reason why there is none, and events come again, on
//! the next registration, until they are acknowledged.

pub mod messages;

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use cre::messages::darkpool::{FILL, FillTriggerConfig, ID};
use cre::messages::{Any, pack, unpack};
use hyper_util::rt::TokioIo;
use primitives::Bytes32;
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream, UnixListenerStream};
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Code as GrpcCode, Request, Response, Status};
use tonic_prost::ProstCodec;
use tower::{Service as TowerService, service_fn};

use self::messages::{
    AckEventRequest, CapabilityInfoReply, CapabilityRequest, CapabilityResponse, CapabilityType,
    RegistrationRequest, TriggerEvent, TriggerMessage, TriggerRegistrationRequest, TriggerResponse,
    TriggerResponseMessage,
};
use darkpool::{Backend, CapabilityError, Code, Error};

use crate::shared::{Shared, blocking};

/// Fills that wait for a slow listener.
const QUEUE: usize = 16;

/// A running server; dropping it stops it.
#[derive(Debug)]
pub struct Server {
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// Serves on a unix socket until dropped. Needs a tokio runtime.
    pub fn unix<B: Backend + Send + 'static>(shared: Shared<B>, listener: UnixListener) -> Self {
        Self::start(shared, UnixListenerStream::new(listener))
    }

    /// Serves on a TCP socket until dropped, for a listener on loopback. Needs a tokio runtime.
    pub fn tcp<B: Backend + Send + 'static>(shared: Shared<B>, listener: TcpListener) -> Self {
        Self::start(shared, TcpListenerStream::new(listener))
    }

    fn start<B, I, S>(shared: Shared<B>, incoming: S) -> Self
    where
        B: Backend + Send + 'static,
        I: tokio::io::AsyncRead
            + tokio::io::AsyncWrite
            + tonic::transport::server::Connected
            + Unpin
            + Send
            + 'static,
        S: tokio_stream::Stream<Item = io::Result<I>> + Send + 'static,
    {
        let listeners = Listeners::default();
        let router = tonic::transport::Server::builder()
            .add_service(Base)
            .add_service(Executable { shared: shared.clone() })
            .add_service(Triggers { shared, listeners });
        let task = tokio::spawn(async move {
            // Ends when dropped, or when the listener does.
            let _ = router.serve_with_incoming(incoming).await;
        });
        Self { task }
    }
}

type Answer<'a> =
    Pin<Box<dyn Future<Output = Result<http::Response<Body>, Infallible>> + Send + 'a>>;

fn codec<Out, In>() -> tonic::server::Grpc<ProstCodec<Out, In>>
where
    Out: prost::Message + Send + 'static,
    In: prost::Message + Default + Send + 'static,
{
    tonic::server::Grpc::new(ProstCodec::default())
}

/// One answer to one request.
fn unary<In, Out, F>(
    request: http::Request<Body>,
    act: impl FnMut(In) -> F + Send + 'static,
) -> Answer<'static>
where
    In: prost::Message + Default + Send + 'static,
    Out: prost::Message + Default + Send + 'static,
    F: Future<Output = Result<Out, Status>> + Send + 'static,
{
    let mut act = act;
    let method = service_fn(move |request: Request<In>| {
        let answer = act(request.into_inner());
        async move { answer.await.map(Response::new) }
    });
    Box::pin(async move { Ok(codec::<Out, In>().unary(method, request).await) })
}

/// A stream of answers to one request.
fn streaming<In, Out, F>(
    request: http::Request<Body>,
    act: impl FnMut(In) -> F + Send + 'static,
) -> Answer<'static>
where
    In: prost::Message + Default + Send + 'static,
    Out: prost::Message + Default + Send + 'static,
    F: Future<Output = Result<mpsc::Receiver<Result<Out, Status>>, Status>> + Send + 'static,
{
    let mut act = act;
    let method = service_fn(move |request: Request<In>| {
        let answer = act(request.into_inner());
        async move { answer.await.map(|stream| Response::new(ReceiverStream::new(stream))) }
    });
    Box::pin(async move { Ok(codec::<Out, In>().server_streaming(method, request).await) })
}

fn unknown_method() -> Answer<'static> {
    Box::pin(async { Ok(Status::new(GrpcCode::Unimplemented, "no such method").into_http()) })
}

/// `tonic` finds a service by this name and hands it every path below it.
macro_rules! service {
    ($name:literal, $type:ty $(, $backend:ident)?) => {
        impl$(<$backend>)? NamedService for $type {
            const NAME: &'static str = $name;
        }

        impl$(<$backend: Backend + Send + 'static>)? TowerService<http::Request<Body>> for $type {
            type Response = http::Response<Body>;
            type Error = Infallible;
            type Future = Answer<'static>;

            fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
                Poll::Ready(Ok(()))
            }

            fn call(&mut self, request: http::Request<Body>) -> Self::Future {
                self.route(request)
            }
        }
    };
}

/// `BaseCapability`: what this is.
#[derive(Clone)]
struct Base;

service!("capabilities.BaseCapability", Base);

impl Base {
    fn route(&self, request: http::Request<Body>) -> Answer<'static> {
        match request.uri().path() {
            "/capabilities.BaseCapability/Info" => unary(request, |(): ()| async { Ok(info()) }),
            _ => unknown_method(),
        }
    }
}

fn info() -> CapabilityInfoReply {
    CapabilityInfoReply {
        id: ID.to_owned(),
        capability_type: CapabilityType::Combined as i32,
        description: "Confidential collateral requests and fills of one dark pool".to_owned(),
        version: ID.split_once('@').map_or("", |(_, version)| version).to_owned(),
        is_local: true,
        spend_types: Vec::new(),
    }
}

/// `Executable`: the three methods.
struct Executable<B> {
    shared: Shared<B>,
}

impl<B> Clone for Executable<B> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

service!("capabilities.Executable", Executable<B>, B);

impl<B: Backend + Send + 'static> Executable<B> {
    fn route(&self, request: http::Request<Body>) -> Answer<'static> {
        match request.uri().path() {
            "/capabilities.Executable/Execute" => {
                let shared = self.shared.clone();
                streaming(request, move |call| execute(shared.clone(), call))
            }
            // A workflow's coming and going changes nothing here: no state is kept for it.
            "/capabilities.Executable/RegisterToWorkflow"
            | "/capabilities.Executable/UnregisterFromWorkflow" => {
                unary(request, |_: RegistrationRequest| async { Ok(()) })
            }
            _ => unknown_method(),
        }
    }
}

async fn execute<B: Backend + Send + 'static>(
    shared: Shared<B>,
    request: CapabilityRequest,
) -> Result<mpsc::Receiver<Result<CapabilityResponse, Status>>, Status> {
    let CapabilityRequest { payload, method, capability_id, .. } = request;
    let outcome = blocking(move || {
        check_capability(&capability_id)?;
        let payload = payload.ok_or(Error::Missing { field: "payload" })?;
        shared.with(|service| service.call(&method, &payload))
    });
    let response = match outcome.await {
        Some(Ok(payload)) => {
            CapabilityResponse { payload: Some(payload), ..CapabilityResponse::default() }
        }
        Some(Err(error)) => CapabilityResponse {
            error: CapabilityError::from(&error).to_string(),
            ..CapabilityResponse::default()
        },
        None => return Err(Status::internal("the call did not come back")),
    };
    let (sender, receiver) = mpsc::channel(1);
    // The receiver is in our hands: there is room.
    let _ = sender.try_send(Ok(response));
    Ok(receiver)
}

/// Nodes of before the typed API leave the id empty.
fn check_capability(id: &str) -> Result<(), Error> {
    if id.is_empty() || id == ID {
        return Ok(());
    }
    Err(Error::OtherName { what: "capability", given: id.to_owned(), served: ID.to_owned() })
}

/// Who listens for fills.
#[derive(Clone, Default)]
struct Listeners(Arc<Mutex<BTreeMap<String, Listener>>>);

#[derive(Default)]
struct Listener {
    /// Registrations under this id so far: a new one ends the stream of the one before.
    registration: u64,
    /// Whether the last one still holds.
    active: bool,
    /// Events that need not come again.
    acknowledged: BTreeSet<String>,
}

impl Listeners {
    fn with<T>(&self, act: impl FnOnce(&mut BTreeMap<String, Listener>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn register(&self, trigger: &str) -> u64 {
        self.with(|all| {
            let listener = all.entry(trigger.to_owned()).or_default();
            listener.registration += 1;
            listener.active = true;
            listener.registration
        })
    }

    fn is_current(&self, trigger: &str, registration: u64) -> bool {
        self.with(|all| {
            all.get(trigger)
                .is_some_and(|listener| listener.active && listener.registration == registration)
        })
    }

    fn is_acknowledged(&self, trigger: &str, event: &str) -> bool {
        self.with(|all| all.get(trigger).is_some_and(|l| l.acknowledged.contains(event)))
    }
}

/// `TriggerExecutable`: fills as they are proved.
struct Triggers<B> {
    shared: Shared<B>,
    listeners: Listeners,
}

impl<B> Clone for Triggers<B> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone(), listeners: self.listeners.clone() }
    }
}

service!("capabilities.TriggerExecutable", Triggers<B>, B);

impl<B: Backend + Send + 'static> Triggers<B> {
    fn route(&self, request: http::Request<Body>) -> Answer<'static> {
        let this = self.clone();
        match request.uri().path() {
            "/capabilities.TriggerExecutable/RegisterTrigger" => {
                streaming(request, move |registration| this.clone().register(registration))
            }
            "/capabilities.TriggerExecutable/UnregisterTrigger" => {
                unary(request, move |gone: TriggerRegistrationRequest| {
                    this.listeners.with(|all| all.remove(&gone.trigger_id));
                    this.shared.wake();
                    async { Ok(()) }
                })
            }
            "/capabilities.TriggerExecutable/AckEvent" => {
                unary(request, move |ack: AckEventRequest| {
                    let known = this.listeners.with(|all| {
                        all.get_mut(&ack.trigger_id)
                            .map(|listener| listener.acknowledged.insert(ack.event_id))
                    });
                    async move { known.map(|_| ()).ok_or_else(|| Status::not_found("no such trigger")) }
                })
            }
            _ => unknown_method(),
        }
    }

    async fn register(
        self,
        request: TriggerRegistrationRequest,
    ) -> Result<mpsc::Receiver<Result<TriggerResponseMessage, Status>>, Status> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let TriggerRegistrationRequest { trigger_id, payload, method, .. } = request;
        let first = match trigger_config(&method, payload.as_ref()) {
            Ok(config) => self.pending(config.clone(), 0).await.map(|first| (config, first)),
            Err(error) => Err(CapabilityError::from(&error)),
        };
        let (config, (fills, next)) = match first {
            Ok(first) => first,
            Err(fault) => {
                let _ = sender.try_send(Ok(failed(&fault)));
                return Ok(receiver);
            }
        };
        let _ =
            sender.try_send(Ok(TriggerResponseMessage { message: Some(TriggerMessage::Ack(())) }));
        let registration = self.listeners.register(&trigger_id);
        // Wakes the stream that this one replaces, so that it ends.
        self.shared.wake();
        tokio::spawn(self.stream(trigger_id, registration, config, fills, next, sender));
        Ok(receiver)
    }

    /// Sends fills until the listener leaves, unregisters or registers anew.
    async fn stream(
        self,
        trigger: String,
        registration: u64,
        config: FillTriggerConfig,
        mut fills: Vec<cre::messages::darkpool::Fill>,
        mut next: usize,
        sender: mpsc::Sender<Result<TriggerResponseMessage, Status>>,
    ) {
        let mut changes = self.shared.changes();
        loop {
            for fill in fills.drain(..) {
                let event = event(&fill);
                if !self.listeners.is_current(&trigger, registration) {
                    return;
                }
                if self.listeners.is_acknowledged(&trigger, &event.id) {
                    continue;
                }
                let response = TriggerResponse { event: Some(event), error: String::new() };
                let message = TriggerMessage::Response(response);
                let message = TriggerResponseMessage { message: Some(message) };
                if sender.send(Ok(message)).await.is_err() {
                    return;
                }
            }
            tokio::select! {
                () = sender.closed() => return,
                changed = changes.changed() => if changed.is_err() { return },
            }
            if !self.listeners.is_current(&trigger, registration) {
                return;
            }
            match self.pending(config.clone(), next).await {
                Ok(news) => (fills, next) = news,
                // The world fails for a while: said once, and tried again at the next change.
                Err(fault) => {
                    if sender.send(Ok(failed(&fault))).await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    async fn pending(
        &self,
        config: FillTriggerConfig,
        from: usize,
    ) -> Result<(Vec<cre::messages::darkpool::Fill>, usize), CapabilityError> {
        let shared = self.shared.clone();
        blocking(move || shared.read(|service| service.fills(&config, from)))
            .await
            .ok_or_else(|| CapabilityError::system(Code::Internal, "the call did not come back"))?
            .map_err(|error| CapabilityError::from(&error))
    }
}

fn trigger_config(method: &str, payload: Option<&Any>) -> Result<FillTriggerConfig, Error> {
    if method != FILL {
        return Err(Error::Method { method: method.to_owned() });
    }
    unpack(payload.ok_or(Error::Missing { field: "payload" })?).map_err(Error::Payload)
}

/// The same round has the same id on every node.
fn event(fill: &cre::messages::darkpool::Fill) -> TriggerEvent {
    let request = fill.request_id[..].try_into().map(Bytes32).unwrap_or_default();
    TriggerEvent {
        trigger_type: ID.to_owned(),
        id: format!("{request}-{}", fill.round),
        outputs: None,
        payload: Some(pack(fill)),
    }
}

fn failed(fault: &CapabilityError) -> TriggerResponseMessage {
    let response = TriggerResponse { event: None, error: fault.to_string() };
    TriggerResponseMessage { message: Some(TriggerMessage::Response(response)) }
}

/// Longest wait for a connection to a capability on this machine or beside it.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);

/// Longest wait for an answer: as long as Chainlink lets a capability's call last (service quotas, August 2026).
const CALL_TIME_MAX: Duration = Duration::from_mins(3);

/// The other end: calls a capability as a node does.
#[derive(Debug, Clone)]
pub struct Caller {
    channel: Channel,
    call_max: Duration,
}

impl Caller {
    /// Connects to a unix socket, now.
    ///
    /// # Errors
    /// If nobody listens.
    pub async fn unix(path: &Path) -> Result<Self, tonic::transport::Error> {
        let path = path.to_owned();
        // The URI only fills the request's authority.
        let connector = service_fn(move |_: Uri| {
            let path = path.clone();
            async move { Ok::<_, io::Error>(TokioIo::new(UnixStream::connect(path).await?)) }
        });
        let endpoint = Endpoint::from_static("http://localhost");
        let channel = endpoint.connect_with_connector(connector).await?;
        Ok(Self { channel, call_max: CALL_TIME_MAX })
    }

    /// Connects to a TCP socket, now.
    ///
    /// # Errors
    /// If nobody listens.
    pub async fn tcp(address: SocketAddr) -> Result<Self, tonic::transport::Error> {
        let endpoint = Endpoint::from_shared(format!("http://{address}"))?;
        let channel = endpoint.connect_timeout(CONNECT_TIME_MAX).connect().await?;
        Ok(Self { channel, call_max: CALL_TIME_MAX })
    }

    /// The same, which waits no longer than this for an answer. Events of a trigger are waited for as long as it takes.
    #[must_use]
    pub fn within(self, call_max: Duration) -> Self {
        Self { call_max, ..self }
    }

    /// What answers there.
    ///
    /// # Errors
    /// The transport's.
    pub async fn info(&self) -> Result<CapabilityInfoReply, Status> {
        self.unary("/capabilities.BaseCapability/Info", ()).await
    }

    /// One call: method and payload there, payload back.
    ///
    /// # Errors
    /// The capability's fault, or [`Code::Unavailable`] for the transport's.
    pub async fn execute(&self, method: &str, payload: Any) -> Result<Any, CapabilityError> {
        let request = CapabilityRequest {
            payload: Some(payload),
            method: method.to_owned(),
            capability_id: ID.to_owned(),
            ..CapabilityRequest::default()
        };
        let lost = |status: Status| {
            let is_late = status.code() == GrpcCode::DeadlineExceeded;
            let code = if is_late { Code::DeadlineExceeded } else { Code::Unavailable };
            CapabilityError::system(code, status.to_string())
        };
        let path = "/capabilities.Executable/Execute";
        let answered = self.timely(async {
            self.streaming::<_, CapabilityResponse>(path, request).await?.message().await
        });
        let none = || CapabilityError::system(Code::Unavailable, "no answer");
        let response = answered.await.map_err(lost)?.ok_or_else(none)?;
        if !response.error.is_empty() {
            return Err(CapabilityError::parse(&response.error));
        }
        response.payload.ok_or_else(none)
    }

    /// Listens to a trigger. The first message is the acknowledgement, or why there is none.
    ///
    /// # Errors
    /// The transport's.
    pub async fn register(
        &self,
        request: TriggerRegistrationRequest,
    ) -> Result<tonic::Streaming<TriggerResponseMessage>, Status> {
        self.timely(self.streaming("/capabilities.TriggerExecutable/RegisterTrigger", request))
            .await
    }

    /// Stops listening.
    ///
    /// # Errors
    /// The transport's.
    pub async fn unregister(&self, request: TriggerRegistrationRequest) -> Result<(), Status> {
        self.unary("/capabilities.TriggerExecutable/UnregisterTrigger", request).await
    }

    /// Says that an event arrived.
    ///
    /// # Errors
    /// The transport's, and not-found for a trigger that is not registered.
    pub async fn acknowledge(&self, request: AckEventRequest) -> Result<(), Status> {
        self.unary("/capabilities.TriggerExecutable/AckEvent", request).await
    }

    async fn unary<Q, A>(&self, path: &'static str, request: Q) -> Result<A, Status>
    where
        Q: prost::Message + Send + Sync + 'static,
        A: prost::Message + Default + Send + Sync + 'static,
    {
        let codec = ProstCodec::<Q, A>::default();
        let path = http::uri::PathAndQuery::from_static(path);
        let answered = self
            .timely(async { self.ready().await?.unary(Request::new(request), path, codec).await });
        Ok(answered.await?.into_inner())
    }

    async fn streaming<Q, A>(
        &self,
        path: &'static str,
        request: Q,
    ) -> Result<tonic::Streaming<A>, Status>
    where
        Q: prost::Message + Send + Sync + 'static,
        A: prost::Message + Default + Send + Sync + 'static,
    {
        let mut client = self.ready().await?;
        let codec = ProstCodec::<Q, A>::default();
        let path = http::uri::PathAndQuery::from_static(path);
        Ok(client.server_streaming(Request::new(request), path, codec).await?.into_inner())
    }

    async fn timely<T>(
        &self,
        answered: impl Future<Output = Result<T, Status>>,
    ) -> Result<T, Status> {
        let late = |_| {
            let reason = format!("no answer within {} ms", self.call_max.as_millis());
            Status::deadline_exceeded(reason)
        };
        tokio::time::timeout(self.call_max, answered).await.unwrap_or_else(|over| Err(late(over)))
    }

    async fn ready(&self) -> Result<tonic::client::Grpc<Channel>, Status> {
        let mut client = tonic::client::Grpc::new(self.channel.clone());
        client.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
        Ok(client)
    }
}
