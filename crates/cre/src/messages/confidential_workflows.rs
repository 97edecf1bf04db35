//! `capabilities.compute.confidentialworkflow.v1alpha`.

/// `capabilities.compute.confidentialworkflow.v1alpha.SecretIdentifier`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SecretIdentifier {
    #[prost(string, tag = "1")]
    pub key: String,
    #[prost(string, optional, tag = "2")]
    pub namespace: Option<String>,
}

/// `capabilities.compute.confidentialworkflow.v1alpha.WorkflowExecution`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct WorkflowExecution {
    #[prost(string, tag = "1")]
    pub workflow_id: String,
    #[prost(string, tag = "2")]
    pub binary_url: String,
    #[prost(bytes = "vec", tag = "3")]
    pub binary_hash: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    pub execute_request: Vec<u8>,
    #[prost(string, tag = "5")]
    pub owner: String,
    #[prost(string, tag = "6")]
    pub execution_id: String,
    #[prost(string, tag = "7")]
    pub org_id: String,
    #[prost(message, optional, tag = "8")]
    pub requirements: Option<super::sdk::Requirements>,
    #[prost(message, optional, tag = "9")]
    pub sdk_execute_request: Option<super::sdk::ExecuteRequest>,
    #[prost(message, optional, tag = "10")]
    pub restrictions: Option<super::sdk::Restrictions>,
}

/// `capabilities.compute.confidentialworkflow.v1alpha.ConfidentialWorkflowRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ConfidentialWorkflowRequest {
    #[prost(message, repeated, tag = "1")]
    pub vault_don_secrets: Vec<SecretIdentifier>,
    #[prost(message, optional, tag = "2")]
    pub execution: Option<WorkflowExecution>,
    #[prost(string, tag = "3")]
    pub binary_url: String,
}

/// `capabilities.compute.confidentialworkflow.v1alpha.ConfidentialWorkflowResponse`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ConfidentialWorkflowResponse {
    #[prost(bytes = "vec", tag = "1")]
    pub execution_result: Vec<u8>,
    #[prost(message, optional, tag = "2")]
    pub sdk_execution_result: Option<super::sdk::ExecutionResult>,
}

/// `capabilities.compute.confidentialworkflow.v1alpha.ProvidedTeesResponse`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ProvidedTeesResponse {
    #[prost(message, repeated, tag = "1")]
    pub tee: Vec<super::sdk::TeeTypeAndRegions>,
}

named! {
    "capabilities.compute.confidentialworkflow.v1alpha":
    SecretIdentifier = "SecretIdentifier", WorkflowExecution = "WorkflowExecution", ConfidentialWorkflowRequest = "ConfidentialWorkflowRequest", ConfidentialWorkflowResponse = "ConfidentialWorkflowResponse", ProvidedTeesResponse = "ProvidedTeesResponse"
}
