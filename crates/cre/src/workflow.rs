//! A workflow: triggers, and what runs when they fire.

use std::marker::PhantomData;

use prost::{Message, Name};
use prost_types::Any;

use crate::error::Error;
use crate::messages::sdk::{
    self, ExecutionResult, Requirements, Restrictions, TeeType, TeeTypeAndRegions,
    TeeTypesAndRegions, TriggerSubscription, TriggerSubscriptionRequest, execute_request,
    execution_result, tee,
};
use crate::messages::{pack, unpack};
use crate::runtime::{Runtime, TeeRuntime};
use crate::value::Value;

/// What starts a handler, with a payload of type `P`.
#[derive(Debug, Clone, PartialEq)]
pub struct Trigger<P> {
    id: String,
    method: String,
    config: Any,
    payload: PhantomData<fn() -> P>,
}

impl<P> Trigger<P> {
    /// A trigger by name. [`crate::cron::trigger`] and its like do it typed.
    pub fn new(id: impl Into<String>, method: impl Into<String>, config: &impl Name) -> Self {
        Self { id: id.into(), method: method.into(), config: pack(config), payload: PhantomData }
    }
}

/// Which TEEs a handler may run in.
#[derive(Debug, Clone, PartialEq)]
pub struct Tee(sdk::Tee);

impl Tee {
    /// AWS Nitro, in one of the regions; in any, if none is given. CRE offers `us-west-2`.
    pub fn nitro<R: Into<String>>(regions: impl IntoIterator<Item = R>) -> Self {
        let nitro = TeeTypeAndRegions {
            r#type: TeeType::AwsNitro as i32,
            regions: regions.into_iter().map(Into::into).collect(),
        };
        Self(sdk::Tee {
            item: Some(tee::Item::TeeTypesAndRegions(TeeTypesAndRegions {
                tee_type_and_regions: vec![nitro],
            })),
        })
    }

    /// Any kind, in one of the regions; in any, if none is given.
    pub fn any<R: Into<String>>(regions: impl IntoIterator<Item = R>) -> Self {
        let regions = regions.into_iter().map(Into::into).collect();
        Self(sdk::Tee { item: Some(tee::Item::AnyRegions(sdk::Regions { regions })) })
    }
}

type Run<C> = Box<dyn Fn(&C, Runtime, &Any) -> Result<Value, Error>>;
type PreHook<C> = Box<dyn Fn(&C, &Any) -> Result<Restrictions, Error>>;

/// A trigger and what runs when it fires.
pub struct Handler<C, P> {
    erased: Erased<C>,
    payload: PhantomData<fn(P)>,
}

struct Erased<C> {
    subscription: TriggerSubscription,
    run: Run<C>,
    pre_hook: Option<PreHook<C>>,
}

impl<C: 'static, P: Message + Name + Default + 'static> Handler<C, P> {
    /// Runs `f` on the DON's nodes.
    pub fn new<R: Into<Value>>(
        trigger: Trigger<P>,
        f: impl Fn(&C, &mut Runtime, P) -> Result<R, Error> + 'static,
    ) -> Self {
        let run = move |config: &C, mut runtime: Runtime, payload: &Any| {
            f(config, &mut runtime, unpack(payload)?).map(Into::into)
        };
        Self::erased(trigger, None, Box::new(run))
    }

    /// Runs `f` in a TEE.
    pub fn in_tee<R: Into<Value>>(
        trigger: Trigger<P>,
        tee: Tee,
        f: impl Fn(&C, &mut TeeRuntime, P) -> Result<R, Error> + 'static,
    ) -> Self {
        let run = move |config: &C, runtime: Runtime, payload: &Any| {
            f(config, &mut TeeRuntime::new(runtime), unpack(payload)?).map(Into::into)
        };
        Self::erased(trigger, Some(Requirements { tee: Some(tee.0) }), Box::new(run))
    }

    /// Asks `f`, before each run, what the run may do. The host holds it to the answer.
    ///
    /// It runs on the DON, even if the handler runs in a TEE; and hosts give it **an empty configuration**, which
    /// the workflow's setup must therefore stand.
    pub fn with_pre_hook(
        mut self,
        f: impl Fn(&C, P) -> Result<Restrictions, Error> + 'static,
    ) -> Self {
        self.erased.subscription.pre_hook = true;
        self.erased.pre_hook = Some(Box::new(move |config, payload| f(config, unpack(payload)?)));
        self
    }

    fn erased(trigger: Trigger<P>, requirements: Option<Requirements>, run: Run<C>) -> Self {
        let subscription = TriggerSubscription {
            id: trigger.id,
            payload: Some(trigger.config),
            method: trigger.method,
            requirements,
            pre_hook: false,
        };
        let erased = Erased { subscription, run, pre_hook: None };
        Self { erased, payload: PhantomData }
    }
}

impl<C, P> std::fmt::Debug for Handler<C, P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Handler").field(&self.erased.subscription).finish()
    }
}

/// Handlers over one configuration. A trigger is known to the host by its handler's position.
pub struct Workflow<C> {
    config: C,
    handlers: Vec<Erased<C>>,
}

impl<C: 'static> Workflow<C> {
    /// A workflow without handlers.
    pub fn new(config: C) -> Self {
        Self { config, handlers: Vec::new() }
    }

    /// With a handler that runs on the DON's nodes.
    pub fn on<P: Message + Name + Default + 'static, R: Into<Value>>(
        self,
        trigger: Trigger<P>,
        f: impl Fn(&C, &mut Runtime, P) -> Result<R, Error> + 'static,
    ) -> Self {
        self.with(Handler::new(trigger, f))
    }

    /// With a handler that runs in a TEE.
    pub fn on_in_tee<P: Message + Name + Default + 'static, R: Into<Value>>(
        self,
        trigger: Trigger<P>,
        tee: Tee,
        f: impl Fn(&C, &mut TeeRuntime, P) -> Result<R, Error> + 'static,
    ) -> Self {
        self.with(Handler::in_tee(trigger, tee, f))
    }

    /// With a handler.
    pub fn with<P>(mut self, handler: Handler<C, P>) -> Self {
        self.handlers.push(handler.erased);
        self
    }

    /// What the workflow subscribes to, in the order of its handlers.
    pub fn subscriptions(&self) -> TriggerSubscriptionRequest {
        let subscription = |handler: &Erased<C>| handler.subscription.clone();
        TriggerSubscriptionRequest {
            subscriptions: self.handlers.iter().map(subscription).collect(),
        }
    }

    /// Does what the host asks.
    ///
    /// # Errors
    /// The handler's; or there is none for it; or the payload is not what its trigger promises.
    pub fn execute(
        &self,
        request: &execute_request::Request,
        runtime: Runtime,
    ) -> Result<ExecutionResult, Error> {
        use execution_result::Result as Answer;
        let answer = match request {
            execute_request::Request::Subscribe(()) => {
                Answer::TriggerSubscriptions(self.subscriptions())
            }
            execute_request::Request::Trigger(trigger) => {
                let (handler, payload) = self.find(trigger)?;
                Answer::Value((handler.run)(&self.config, runtime, payload)?)
            }
            execute_request::Request::PreHook(trigger) => {
                let (handler, payload) = self.find(trigger)?;
                let pre_hook = handler.pre_hook.as_ref();
                let pre_hook = pre_hook.ok_or(Error::Missing { what: "the handler's pre-hook" })?;
                Answer::Restrictions(pre_hook(&self.config, payload)?)
            }
        };
        Ok(ExecutionResult { result: Some(answer) })
    }

    fn find<'a>(&'a self, trigger: &'a sdk::Trigger) -> Result<(&'a Erased<C>, &'a Any), Error> {
        let idx = usize::try_from(trigger.id).ok();
        let handler = idx.and_then(|idx| self.handlers.get(idx));
        let no_handler = Error::NoHandler { id: trigger.id, n_handlers: self.handlers.len() };
        let payload = trigger.payload.as_ref();
        Ok((
            handler.ok_or(no_handler)?,
            payload.ok_or(Error::Missing { what: "the trigger's payload" })?,
        ))
    }
}

impl<C> std::fmt::Debug for Workflow<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let subscriptions = self.handlers.iter().map(|handler| &handler.subscription);
        f.debug_list().entries(subscriptions).finish()
    }
}
