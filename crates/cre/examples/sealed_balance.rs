//! A handler inside a TEE: a secret and a response that no node sees, and one bit that comes out.

use cre::{
    Calls, Error, Handler, Restrictions, SecretId, Secrets, Tee, TeeRuntime, Workflow, http,
};

const KEY: &str = "0x00000000000000000000000000000000000000aa";
const URL: &str = "https://custodian.example/balance";
/// What the balance should not be below.
const FLOOR: u64 = 1_000_000;

fn setup(_: &[u8]) -> Result<Workflow<()>, Error> {
    let handler = Handler::in_tee(http::trigger([KEY]), Tee::nitro(["us-west-2"]), on_request);
    Ok(Workflow::new(()).with(handler.with_pre_hook(restrict)))
}

/// One request and one secret, whatever the request says. It runs outside the TEE, and knows no configuration.
fn restrict(_: &(), _: http::Payload) -> Result<Restrictions, Error> {
    let calls = Calls::only(1).method(http::ACTION_ID, "SendRequest", 1);
    Ok(Restrictions::none().calls(calls).secrets(Secrets::only(1).exact(token())))
}

fn on_request(_: &(), runtime: &mut TeeRuntime, _: http::Payload) -> Result<bool, Error> {
    let token = runtime.secret(token()).wait()?;
    let request =
        http::Request::get(URL).with_header("Authorization", format!("Bearer {}", token.expose()));
    let response = request.send(runtime).wait()?;
    let body = String::from_utf8(response.body).map_err(Error::workflow)?;
    // The parser's words would quote the balance, and an error leaves the TEE.
    let balance: u64 = body.trim().parse().map_err(|_| "the custodian's answer is no number")?;
    Ok(balance >= FLOOR)
}

fn token() -> SecretId {
    SecretId::new("custodian", "TOKEN")
}

cre::workflow!(setup);

#[cfg(test)]
mod tests {
    use cre::Value;
    use cre::guest;
    use cre::messages::pack;
    use cre::messages::sdk::{ExecuteRequest, Trigger, execute_request, execution_result};
    use cre::testing::{self, ScriptedHost};

    use super::*;

    #[test]
    fn only_the_bit_comes_out() {
        let host = ScriptedHost::new().secret(token(), "t0ken").answer(
            http::ACTION_ID,
            "SendRequest",
            |request: http::Request| {
                assert_eq!(request.multi_headers["Authorization"].values, ["Bearer t0ken"]);
                Ok(http::Response {
                    status_code: 200,
                    body: b"999999".into(),
                    ..Default::default()
                })
            },
        );
        let record = host.record();
        let trigger = Trigger { id: 0, payload: Some(pack(&http::Payload::default())) };
        let request = ExecuteRequest {
            request: Some(execute_request::Request::Trigger(trigger)),
            ..Default::default()
        };
        let result = guest::execute(setup, &testing::argument(&request), host);
        assert_eq!(result.result, Some(execution_result::Result::Value(Value::from(false))));
        assert!(record.logs().is_empty());
    }
}
