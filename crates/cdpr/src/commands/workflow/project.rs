//! A CRE project's files: project.yaml, workflow.yaml, secrets.yaml, .env, the interfaces of its contracts. Keys that
//! concern deployment only are read over, and a chain that cannot be used is nobody's error until it is used.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cre::chains;
use don::Secrets;
use evm::revert::Errors;
use saphyr_parser::{Event, Parser, ScalarStyle};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::refuse;
use crate::Failure;
use crate::commands::{TEXT_MAX, meant, meant_word, read_to};
use crate::terminal::note;

/// The target of a project that has several, when none is asked for.
const TARGET: &str = "staging-settings";
/// The longest file of settings read, bytes.
const FILE_LEN_MAX: usize = 1 << 20;
/// Collections within collections.
const DEPTH_MAX: usize = 32;
/// Most interfaces of contracts that are read.
const INTERFACES_MAX: usize = 256;

/// Names that projects give to chains of no EVM, with what their capabilities are called. Source:
/// `smartcontractkit/chain-selectors` at 7bf600b of 11 August 2026, `selectors_solana.yml`.
const NO_EVM: [(&str, &str); 3] = [
    ("solana-devnet", "solana:ChainSelector:16423721717087811551@1.0.0"),
    ("solana-mainnet", "solana:ChainSelector:124615329519749607@1.0.0"),
    ("solana-testnet", "solana:ChainSelector:6302590918974934319@1.0.0"),
];

/// Where a workflow's files are, as far as the command line says.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Places<'a> {
    /// Whose settings.
    pub(crate) target: Option<&'a str>,
    /// The folder of project.yaml.
    pub(crate) root: Option<&'a Path>,
    /// The file of variables.
    pub(crate) environment: Option<&'a Path>,
    /// The file of secrets' names.
    pub(crate) secrets: Option<&'a Path>,
}

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
    /// The folder of project.yaml; `None` for a module that belongs to no project.
    pub(crate) root: Option<PathBuf>,
    /// The project's chains.
    pub(crate) chains: Vec<ChainSettings>,
    /// Those that no simulation reaches.
    pub(crate) unusable: Vec<Unusable>,
    /// Of the project's contracts.
    pub(crate) errors: Errors,
    /// The project's .env over the process's environment.
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

/// A chain of project.yaml that cannot be simulated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unusable {
    /// Its name, or its selector.
    pub(crate) name: String,
    /// The id of its capability, where the name says which.
    pub(crate) id: Option<String>,
    /// What is wrong.
    pub(crate) why: String,
    /// What to do about it.
    pub(crate) hint: String,
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
    url: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Experimental {
    chain_selector: u64,
    rpc_url: Option<String>,
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
    pub(crate) fn read(path: &Path, places: Places<'_>) -> Result<Self, Failure> {
        let path = &match places.root {
            Some(root) if !root.join("project.yaml").exists() => {
                let hint = "-R (--project-root) names the folder of project.yaml";
                return Err(refuse(format!("{}: no project.yaml here", root.display()), hint));
            }
            Some(root) if root.join(path).exists() => root.join(path),
            Some(_) | None => path.to_owned(),
        };
        if !path.exists() {
            let hint = "give a workflow's folder (`cdpr workflow init` makes one), a .wasm, a .ts or a .js";
            let what = format!("{}: there is no such file or folder", path.display());
            return Err(refuse(format!("{what}{}", meant(path)), hint));
        }
        if path.is_dir() {
            return Self::of_folder(path, places);
        }
        let beside = path.parent().unwrap_or(Path::new("."));
        let secrets = || Some(beside.join("secrets.yaml")).filter(|file| file.exists());
        Ok(Self {
            program: path.clone(),
            secrets: places.secrets.map(Path::to_owned).or_else(secrets),
            environment: Environment::read(beside, places.environment)?,
            ..Self::default()
        })
    }

    fn of_folder(folder: &Path, places: Places<'_>) -> Result<Self, Failure> {
        let file = folder.join("workflow.yaml");
        if !file.exists() {
            let hint =
                "give a workflow's folder, not the project's; `cdpr workflow init` makes both";
            return Err(refuse(format!("{}: no workflow.yaml here", folder.display()), hint));
        }
        let absolute = std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
        let above = || absolute.ancestors().find(|folder| folder.join("project.yaml").exists());
        let Some(root) = places.root.or_else(above) else {
            let hint = "put project.yaml in the folder above, or name its folder with -R; `cdpr workflow init` shows one";
            return Err(refuse(
                format!("{}: no project.yaml here or above", folder.display()),
                hint,
            ));
        };
        let environment = Environment::read(root, places.environment)?;
        let asked = places.target.map(str::to_owned).or_else(|| environment.get("CRE_TARGET"));
        let (target, workflow) = settings::<WorkflowFile>(&file, asked.as_deref())?;
        let (_, project) = settings::<ProjectFile>(&root.join("project.yaml"), Some(&target))?;
        let artifacts = workflow.workflow_artifacts;
        let relative = |path: Option<String>| {
            path.filter(|path| !path.is_empty()).map(|path| folder.join(path))
        };
        let (chains, unusable) = project.chains(&environment);
        Ok(Self {
            name: workflow.user_workflow.workflow_name,
            target: Some(target),
            program: folder.join(artifacts.workflow_path),
            config: relative(artifacts.config_path),
            secrets: places.secrets.map(Path::to_owned).or(relative(artifacts.secrets_path)),
            root: Some(root.to_owned()),
            chains,
            unusable,
            errors: interfaces(&root.join("contracts")),
            environment,
        })
    }

    /// Says which files and nodes it is made of, to whoever asks why something is not as expected.
    pub(crate) fn tell(&self) {
        let path = |path: Option<&PathBuf>| {
            path.map_or_else(|| "none".to_owned(), |path| path.display().to_string())
        };
        note(format_args!("project.yaml of {}", path(self.root.as_ref())));
        note(format_args!("target {}", self.target.as_deref().unwrap_or("none")));
        note(format_args!("program {}", self.program.display()));
        note(format_args!("configuration {}", path(self.config.as_ref())));
        note(format_args!("secrets {}", path(self.secrets.as_ref())));
        note(format_args!("variables {}", path(self.environment.path.as_ref())));
        for ChainSettings { name, selector, url, .. } in &self.chains {
            // A path or a query of a node's URL is often a key.
            let host = url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
            let host = host.rsplit_once('@').map_or(host.as_str(), |(_, host)| host);
            note(format_args!("chain {name}, selector {selector}, at {host}"));
        }
        for Unusable { name, why, .. } in &self.unusable {
            note(format_args!("chain {name}, not usable: {why}"));
        }
    }

    /// Whether project.yaml names chains, if only some that cannot be used.
    pub(crate) const fn names_chains(&self) -> bool {
        !self.chains.is_empty() || !self.unusable.is_empty()
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
    fn chains(self, environment: &Environment) -> (Vec<ChainSettings>, Vec<Unusable>) {
        let (mut chains, mut unusable) = (Vec::<ChainSettings>::new(), Vec::new());
        for rpc in self.rpcs {
            match rpc.chain(environment) {
                Ok(chain) => chains.push(chain),
                Err(chain) => unusable.push(chain),
            }
        }
        for chain in self.experimental_chains {
            match chain.chain(environment) {
                Ok(chain) => match chains.iter_mut().find(|rpc| rpc.selector == chain.selector) {
                    // As Chainlink's tool has it: another forwarder of a chain that is there already.
                    Some(rpc) => rpc.forwarder = chain.forwarder,
                    None => chains.push(chain),
                },
                Err(chain) => unusable.push(chain),
            }
        }
        (chains, unusable)
    }
}

impl Rpc {
    fn chain(self, environment: &Environment) -> Result<ChainSettings, Unusable> {
        let Self { chain_name: name, url } = self;
        if let Some((_, id)) = NO_EVM.iter().find(|(known, _)| *known == name) {
            return Err(Unusable {
                name,
                id: Some((*id).to_owned()),
                why: "only EVM chains are simulated".to_owned(),
                hint: "Chainlink's own simulator has Solana".to_owned(),
            });
        }
        let Some(&chains::Chain { selector, .. }) = chains::named(&name) else {
            let known: Vec<&str> = chains::CHAINS.iter().map(|chain| chain.name).collect();
            let meant = meant_word(&name, &known);
            return Err(Unusable {
                name,
                id: None,
                why: "no chain of CRE is called that".to_owned(),
                hint: format!(
                    "{meant}any other chain goes under experimental-chains with its chain-selector"
                ),
            });
        };
        let url = usable_url(&name, selector, url, environment)?;
        Ok(ChainSettings { name, selector, url, forwarder: None })
    }
}

impl Experimental {
    fn chain(self, environment: &Environment) -> Result<ChainSettings, Unusable> {
        let Self { chain_selector: selector, rpc_url, forwarder, chain_type } = self;
        let (name, kind) = (selector.to_string(), chain_type.as_deref().unwrap_or("evm"));
        if !kind.eq_ignore_ascii_case("evm") {
            return Err(Unusable {
                name,
                id: Some(format!("{kind}:ChainSelector:{selector}@1.0.0")),
                why: format!("chain-type {kind:?} is not simulated"),
                hint: "only evm is".to_owned(),
            });
        }
        let url = usable_url(&name, selector, rpc_url, environment)?;
        Ok(ChainSettings { name, selector, url, forwarder })
    }
}

/// The URL of a chain's node, with its variables.
fn usable_url(
    name: &str,
    selector: u64,
    url: Option<String>,
    environment: &Environment,
) -> Result<String, Unusable> {
    let unusable = |why: String, hint: String| Unusable {
        name: name.to_owned(),
        id: Some(don::chain::id(selector)),
        why,
        hint,
    };
    let Some(url) = url.filter(|url| !url.trim().is_empty()) else {
        return Err(unusable("it has no URL".to_owned(), "give it the url of a node".to_owned()));
    };
    let url = environment.expand(&url).map_err(|name| {
        let hint = format!("export {name}=…, or write it into the project's .env");
        unusable(format!("{name} is not set, which {url:?} needs"), hint)
    })?;
    if !url.starts_with("http://") && !url.starts_with("https://") {
        let hint = "it begins with https:// or http://".to_owned();
        return Err(unusable(format!("{url:?} is no URL of a JSON-RPC node"), hint));
    }
    Ok(url)
}

/// The errors of the contracts whose interfaces a project keeps, `contracts/**/abi/*.abi` or `.json`: those that can be
/// read, since they only help to say what went wrong.
fn interfaces(contracts: &Path) -> Errors {
    let mut errors = Errors::default();
    let (mut folders, mut n_read) = (vec![(contracts.to_owned(), 0)], 0);
    while let Some((folder, depth)) = folders.pop() {
        let is_abi = folder.file_name().is_some_and(|name| name == "abi");
        let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            let kind = path.extension().and_then(|kind| kind.to_str()).unwrap_or_default();
            if path.is_dir() {
                // A contract's packages have thousands of folders, and none of its own interfaces.
                if depth < 3 && !path.ends_with("node_modules") {
                    folders.push((path, depth + 1));
                }
            } else if is_abi && matches!(kind, "abi" | "json") && n_read < INTERFACES_MAX {
                n_read += 1;
                // What is no interface names no error.
                let _ = read_to(&path, TEXT_MAX).map(|json| errors.add(&json));
            }
        }
    }
    errors
}

/// Where secrets and parts of URLs come from.
#[derive(Debug, Default)]
pub(crate) struct Environment {
    file: BTreeMap<String, String>,
    path: Option<PathBuf>,
}

impl Environment {
    /// The file that is asked for, or a folder's .env, if it has one: `NAME=value` lines, quotes and `export` allowed, `#` a
    /// comment.
    fn read(folder: &Path, asked: Option<&Path>) -> Result<Self, Failure> {
        let path = asked.map_or_else(|| folder.join(".env"), Path::to_owned);
        if asked.is_none() && !path.exists() {
            return Ok(Self::default());
        }
        let text = read_to(&path, TEXT_MAX).map_err(|why| {
            refuse(
                format!("{}: {why}", path.display()),
                "make it a readable UTF-8 file, or move it; -e (--env) names another",
            )
        })?;
        Ok(Self { path: Some(path), ..Self::parse(&text) })
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
        Self { file: pairs.collect(), path: None }
    }

    /// A variable that is set, and not to nothing: the file's before the process's, as Chainlink's own tool has it, and
    /// not where the file only refers to a password manager.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        let is_value = |value: &String| !value.is_empty() && !value.starts_with("op://");
        let written = self.file.get(name).filter(|value| is_value(value)).cloned();
        written.or_else(|| std::env::var(name).ok()).filter(|value| !value.is_empty())
    }

    /// Puts variables in place of `${NAME}`; the name of the first that is not set is the error.
    pub(crate) fn expand(&self, text: &str) -> Result<String, String> {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}').unwrap_or((after, ""));
            let Some(value) = self.get(name) else { return Err(name.to_owned()) };
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
        let environment = Environment { file, path: None };
        let expand = |text| environment.expand(text).ok();
        assert_eq!(expand("http://x/${CDPR_TEST_KEY}/y").as_deref(), Some("http://x/k/y"));
        assert_eq!(expand("http://x/${CDPR_TEST_OTHER}"), None);
    }
}
