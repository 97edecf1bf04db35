//! JSON-RPC's envelope around the handler: ids, batches, notifications.

use serde_json::{Value, json};

use crate::{LocalChain, RpcError};

impl LocalChain {
    /// The answer to the body of a JSON-RPC request, single or batch; `None` if all of it are notifications,
    /// which are left unanswered.
    #[must_use]
    pub fn answer(&self, body: &[u8]) -> Option<Vec<u8>> {
        let answer = match serde_json::from_slice(body) {
            Ok(Value::Array(requests)) if !requests.is_empty() => {
                let answers: Vec<_> =
                    requests.into_iter().filter_map(|one| answer(self, one)).collect();
                (!answers.is_empty()).then_some(Value::Array(answers))
            }
            Ok(request) => answer(self, request),
            Err(error) => {
                Some(failure(&Value::Null, &RpcError::new(RpcError::PARSE, error.to_string())))
            }
        };
        answer.map(|answer| answer.to_string().into_bytes())
    }
}

/// `None` for a notification.
fn answer(chain: &LocalChain, mut request: Value) -> Option<Value> {
    let Some(Value::String(method)) = request.get("method").cloned() else {
        let error = RpcError::new(RpcError::INVALID_REQUEST, "no method");
        return Some(failure(request.get("id").unwrap_or(&Value::Null), &error));
    };
    let params = request.get_mut("params").map_or(Value::Null, Value::take);
    let outcome = chain.request(&method, params);
    let id = request.get("id")?;
    Some(match outcome {
        Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
        Err(error) => failure(id, &error),
    })
}

fn failure(id: &Value, error: &RpcError) -> Value {
    let mut object = json!({ "code": error.code, "message": error.message });
    if let Some(data) = &error.data {
        object["data"] = data.clone();
    }
    json!({ "jsonrpc": "2.0", "id": id, "error": object })
}
