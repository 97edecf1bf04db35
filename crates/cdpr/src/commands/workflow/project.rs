//! A CRE project's files: project.yaml, workflow.yaml, secrets.yaml, .env. Keys that concern deployment
//! only are read over.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use don::Secrets;
use saphyr_parser::{Event, Parser, ScalarStyle};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::refuse;
use crate::Failure;
use crate::commands::{TEXT_MAX, meant, read_to};

/// The target of a project that has several, when none is asked for.
const TARGET: &str = "staging-settings";
/// The longest file of settings read, bytes.
const FILE_LEN_MAX: usize = 1 << 20;
/// Collections within collections.
const DEPTH_MAX: usize = 32;

/// A target's settings of one workflow, and what of its project matters to a simulation.
#[derive(Debug, Default)]
pub(crate) struct Project {
    /// As deployed; empty for a module that belongs to no project.
    pub(crate) name: String,
    /// Which settings.
    pub(crate) target: Option<String>,
    /// The module or its source.
    pub(crate) program: PathBuf,
    /// The configuration file.
    pub(crate) config: Option<PathBuf>,
    /// secrets.yaml.
    pub(crate) secrets: Option<PathBuf>,
    /// The project's chains.
    pub(crate) chains: Vec<ChainSettings>,
    /// The process's environment over the project's .env.
    pub(crate) environment: Environment,
}

/// One chain of project.yaml.
#[derive(Debug)]
pub(crate) struct ChainSettings {
    /// Its name, or its selector.
    pub(crate) name: String,
    /// By Chainlink's list of selectors.
    pub(crate) selector: u64,
    /// JSON-RPC.
    pub(crate) url: String,
    /// 0x-hexadecimal; an experimental chain names its own.
    pub(crate) forwarder: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct ProjectFile {
    #[serde(default)]
    rpcs: Vec<Rpc>,
    #[serde(default)]
    experimental_chains: Vec<Experimental>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Rpc {
    chain_name: String,
    url: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Experimental {
    chain_selector: u64,
    rpc_url: String,
    forwarder: Option<String>,
    chain_type: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct WorkflowFile {
    user_workflow: UserWorkflow,
    workflow_artifacts: Artifacts,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct UserWorkflow {
    workflow_name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Artifacts {
    workflow_path: String,
    config_path: Option<String>,
    secrets_path: Option<String>,
}

#[derive(Debug, Deserialize)]
struct SecretsFile {
    #[serde(rename = "secretsNames", default)]
    names: BTreeMap<String, Vec<String>>,
}

impl Project {
    /// The project of a workflow's folder, or a module that stands for itself.
    pub(crate) fn read(path: &Path, target: Option<&str>) -> Result<Self, Failure> {
        if !path.exists() {
            let hint = "give a workflow's folder (`cdpr workflow init` makes one), a .wasm, a .ts or a .js";
            let what = format!("{}: there is no such file or folder", path.display());
            return Err(refuse(format!("{what}{}", meant(path)), hint));
        }
        if path.is_dir() {
            return Self::of_folder(path, target);
        }
        Ok(Self {
            program: path.to_owned(),
            environment: Environment::read(path.parent().unwrap_or(Path::new(".")))?,
            ..Self::default()
        })
    }

    fn of_folder(folder: &Path, target: Option<&str>) -> Result<Self, Failure> {
        let file = folder.join("workflow.yaml");
        if !file.exists() {
            let hint =
                "give a workflow's folder, not the project's; `cdpr workflow init` makes both";
            return Err(refuse(format!("{}: no workflow.yaml here", folder.display()), hint));
        }
        let absolute = std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
        let root = absolute.ancestors().find(|folder| folder.join("project.yaml").exists());
        let Some(root) = root else {
            let hint = "put project.yaml in the folder above; `cdpr workflow init` shows one";
            return Err(refuse(
                format!("{}: no project.yaml here or above", folder.display()),
                hint,
            ));
        };
        let environment = Environment::read(root)?;
        let asked = target.map(str::to_owned).or_else(|| environment.get("CRE_TARGET"));
        let (target, workflow) = settings::<WorkflowFile>(&file, asked.as_deref())?;
        let (_, project) = settings::<ProjectFile>(&root.join("project.yaml"), Some(&target))?;
        let artifacts = workflow.workflow_artifacts;
        let relative = |path: Option<String>| {
            path.filter(|path| !path.is_empty()).map(|path| folder.join(path))
        };
        Ok(Self {
            name: workflow.user_workflow.workflow_name,
            target: Some(target),
            program: folder.join(artifacts.workflow_path),
            config: relative(artifacts.config_path),
            secrets: relative(artifacts.secrets_path),
            chains: project.chains(&environment)?,
            environment,
        })
    }

    /// The secrets that secrets.yaml names, from the environment.
    pub(crate) fn read_secrets(&self) -> Result<Secrets, Failure> {
        let Some(file) = &self.secrets else { return Ok(Secrets::new("")) };
        secrets(file, &yaml(file)?, &self.environment)
    }
}

/// What a file names, from the environment.
pub(crate) fn secrets(
    file: &Path,
    listed: &Value,
    environment: &Environment,
) -> Result<Secrets, Failure> {
    let mut secrets = Secrets::new("");
    let listed: SecretsFile = parse(file, listed)?;
    for (id, variables) in listed.names {
        let value = variables.iter().find_map(|name| environment.get(name));
        let Some(value) = value else {
            let hint = format!(
                "export {0}=…, or write it into the project's .env",
                variables.first().map_or("the variable", String::as_str)
            );
            let names = variables.join(", ");
            let what = format!(
                "{}: secret {id} is not set: no {names} in the environment",
                file.display()
            );
            return Err(refuse(what, hint));
        };
        secrets.insert("", id, value);
    }
    Ok(secrets)
}

impl ProjectFile {
    fn chains(self, environment: &Environment) -> Result<Vec<ChainSettings>, Failure> {
        let mut chains = Vec::new();
        for Rpc { chain_name, url } in self.rpcs {
            let Some(selector) = super::chains::selector(&chain_name) else {
                let meant = super::chains::nearest(&chain_name);
                let meant =
                    meant.map(|name| format!("did you mean {name:?}? ")).unwrap_or_default();
                let hint = format!(
                    "{meant}names are those of Chainlink's chain selectors; any other chain goes under \
                     experimental-chains with its chain-selector"
                );
                return Err(refuse(
                    format!("project.yaml: no chain is called {chain_name:?}"),
                    hint,
                ));
            };
            let url = environment.expand(&url)?;
            chains.push(ChainSettings { name: chain_name, selector, url, forwarder: None });
        }
        for chain in self.experimental_chains {
            let kind = chain.chain_type.as_deref().unwrap_or("evm");
            if kind != "evm" {
                let what = format!("project.yaml: chain-type {kind:?} is not simulated here");
                return Err(refuse(what, "only evm is"));
            }
            let (selector, url) = (chain.chain_selector, environment.expand(&chain.rpc_url)?);
            let forwarder = chain.forwarder;
            chains.push(ChainSettings { name: selector.to_string(), selector, url, forwarder });
        }
        Ok(chains)
    }
}

/// Where secrets and parts of URLs come from.
#[derive(Debug, Default)]
pub(crate) struct Environment {
    file: BTreeMap<String, String>,
}

impl Environment {
    /// A folder's .env, if it has one: `NAME=value` lines, quotes and `export` allowed, `#` a comment.
    fn read(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join(".env");
        if !path.exists() {
            return Ok(Self::default());
        }
        let text = read_to(&path, TEXT_MAX).map_err(|why| {
            refuse(
                format!("{}: {why}", path.display()),
                "make it a readable UTF-8 file, or move it",
            )
        })?;
        Ok(Self::parse(&text))
    }

    pub(crate) fn parse(text: &str) -> Self {
        let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
        let pairs = lines.filter_map(|line| {
            let (name, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
            let value = value.trim();
            let bare = ['"', '\'']
                .iter()
                .find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
            Some((name.trim().to_owned(), bare.unwrap_or(value).to_owned()))
        });
        Self { file: pairs.collect() }
    }

    /// A variable that is set, and not to nothing.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        let found = std::env::var(name).ok().or_else(|| self.file.get(name).cloned());
        found.filter(|value| !value.is_empty())
    }

    /// Puts variables in place of `${NAME}`.
    pub(crate) fn expand(&self, text: &str) -> Result<String, Failure> {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}').unwrap_or((after, ""));
            let Some(value) = self.get(name) else {
                let hint = format!("export {name}=…, or write it into the project's .env");
                return Err(refuse(
                    format!("project.yaml: {name} is not set, which {text:?} needs"),
                    hint,
                ));
            };
            out.push_str(before);
            out.push_str(&value);
            rest = after;
        }
        out.push_str(rest);
        Ok(out)
    }
}

/// The settings of one target in a file of several.
fn settings<T: DeserializeOwned>(file: &Path, asked: Option<&str>) -> Result<(String, T), Failure> {
    settings_of(file, yaml(file)?, asked)
}

fn settings_of<T: DeserializeOwned>(
    file: &Path,
    settings: Value,
    asked: Option<&str>,
) -> Result<(String, T), Failure> {
    let name = file.display();
    let Value::Object(mut targets) = settings else {
        return Err(refuse(format!("{name}: no targets here"), "begin with \"staging-settings:\""));
    };
    // Chainlink's own files may carry keys of no target, such as `cre-cli`; a target is a mapping.
    targets.retain(|_, value| value.is_object());
    let known: Vec<String> = targets.keys().cloned().collect();
    let names = known.join(", ");
    let target = match asked {
        Some(target) => target.to_owned(),
        None if targets.len() == 1 => names.clone(),
        None => TARGET.to_owned(),
    };
    let Some(found) = targets.remove(&target) else {
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let meant = super::known_words(&target, &known);
        let hint = format!("--target (or CRE_TARGET) names another. {meant}");
        return Err(refuse(format!("{name}: no target {target:?}"), hint));
    };
    Ok((target, parse(file, &found)?))
}

fn parse<T: DeserializeOwned>(file: &Path, value: &Value) -> Result<T, Failure> {
    T::deserialize(value).map_err(|error| {
        refuse(format!("{}: {error}", file.display()), "`cdpr workflow init` shows every key")
    })
}

fn yaml(file: &Path) -> Result<Value, Failure> {
    let name = file.display();
    let source = read_to(file, FILE_LEN_MAX as u64)
        .map_err(|why| refuse(format!("{name}: {why}"), "give a readable UTF-8 file"))?;
    read_yaml(&source)
        .map_err(|what| refuse(format!("{name}: {what}"), "check indentation, quotes and colons"))
}

/// What is read of a project's three files once each is YAML, for tests that have none on a disk.
#[cfg(test)]
pub(crate) fn read_all(settings: &Value, environment: &Environment) {
    let file = Path::new("x.yaml");
    let _ = settings_of::<WorkflowFile>(file, settings.clone(), None);
    let project = settings_of::<ProjectFile>(file, settings.clone(), None);
    let _ = project.map(|(_, project)| project.chains(environment));
    let _ = secrets(file, settings, environment);
}

/// A collection whose end has not come yet.
enum Open {
    List(Vec<Value>),
    Mapping(Map<String, Value>, Option<String>),
}

/// YAML of one document. Merge keys (`<<`) are keys like any other.
pub(crate) fn read_yaml(source: &str) -> Result<Value, String> {
    if source.len() > FILE_LEN_MAX {
        return Err(format!("more than {FILE_LEN_MAX} bytes"));
    }
    let mut open: Vec<(usize, Open)> = Vec::new();
    let mut anchors: BTreeMap<usize, Value> = BTreeMap::new();
    let mut root = None;
    let mut parser = Parser::new_from_str(source);
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| error.to_string())?;
        let (anchor, value) = match event {
            Event::SequenceStart(..) | Event::MappingStart(..) if open.len() == DEPTH_MAX => {
                return Err(format!("line {}: nested too deep", span.start.line()));
            }
            Event::SequenceStart(anchor, _) => {
                open.push((anchor, Open::List(Vec::new())));
                continue;
            }
            Event::MappingStart(anchor, _) => {
                open.push((anchor, Open::Mapping(Map::new(), None)));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some((anchor, Open::List(items))) => (anchor, Value::Array(items)),
                Some((anchor, Open::Mapping(entries, _))) => (anchor, Value::Object(entries)),
                None => continue,
            },
            Event::Scalar(text, style, anchor, _) => {
                let is_key = matches!(open.last(), Some((_, Open::Mapping(_, None))));
                let plain = style == ScalarStyle::Plain && !is_key;
                (anchor, if plain { scalar(&text) } else { json!(text) })
            }
            Event::Alias(anchor) => (0, anchors.get(&anchor).cloned().unwrap_or_default()),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => continue,
        };
        if anchor != 0 {
            anchors.insert(anchor, value.clone());
        }
        match open.last_mut() {
            None => root = root.or(Some(value)),
            Some((_, Open::List(items))) => items.push(value),
            Some((_, Open::Mapping(entries, key))) => match (key.take(), value) {
                (Some(key), value) => drop(entries.insert(key, value)),
                (None, Value::String(text)) => *key = Some(text),
                (None, _) => {
                    return Err(format!("line {}: a key has to be one word", span.start.line()));
                }
            },
        }
    }
    Ok(root.unwrap_or_default())
}

/// YAML's core schema, as far as settings need it. What looks like hexadecimal is an address.
fn scalar(text: &str) -> Value {
    match text {
        "" | "~" | "null" => Value::Null,
        "true" => json!(true),
        "false" => json!(false),
        _ => text.parse::<u64>().map_or_else(|_| json!(text), |number| json!(number)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yaml_reads_as_cre_writes_it() {
        let source = "a: &x { b: [1, \"1\", 0x01] }\nc: *x\nd:\n  - k: v # why\n  - ~\n";
        let expected = json!({
            "a": { "b": [1, "1", "0x01"] },
            "c": { "b": [1, "1", "0x01"] },
            "d": [{ "k": "v" }, null],
        });
        assert_eq!(read_yaml(source), Ok(expected));
        for source in ["a: [", "? [a]: b", &"[".repeat(40)] {
            assert!(read_yaml(source).is_err(), "{source}");
        }
    }

    #[test]
    fn variables_of_a_url_come_from_the_environment() {
        let file = BTreeMap::from([("CDPR_TEST_KEY".to_owned(), "k".to_owned())]);
        let environment = Environment { file };
        let expand = |text| environment.expand(text).ok();
        assert_eq!(expand("http://x/${CDPR_TEST_KEY}/y").as_deref(), Some("http://x/k/y"));
        assert_eq!(expand("http://x/${CDPR_TEST_OTHER}"), None);
    }
}
