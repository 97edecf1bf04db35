//! Claims about crates and their dependencies, from `cargo metadata` and `cargo tree`.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::Finding;

/// Crates that take time, entropy and the world as arguments (ARCHITECTURE, invariant 1).
pub(super) const PURE: [&str; 8] =
    ["primitives", "pool", "circuits", "attestation", "protocol", "recovery", "risk", "client"];

/// What would let a pure crate reach the world by itself. `x-*` also stands for every crate of that family.
const WORLDLY: [&str; 12] = [
    "tokio", "alloy", "alloy-*", "revm", "revm-*", "reqwest", "hyper", "axum", "mio", "socket2",
    "wasmtime", "wasmi",
];

/// Each heavy family of crates and the one member whose manifest may name it (ARCHITECTURE, "Code map"). Test
/// dependencies are free: nothing is built on them.
const ROOMS: [(&str, &[&str]); 4] = [
    ("evm", &["alloy"]),
    ("devchain", &["revm", "revm-*", "alloy-evm", "alloy-trie"]),
    ("don", &["ureq", "reqwest", "hyper", "isahc", "curl"]),
    ("server", &["axum", "axum-*", "tonic", "tonic-*"]),
];

/// Who may carry an EVM inside, by whatever way: the simulated world, and the program that has it all.
const CARRIERS: (&str, &[&str]) = ("devchain", &["devchain", "sim", "cdpr"]);

/// What a member must not reach by any way, though its neighbours do: production code knows no simulation and no
/// socket of its own, and whoever holds keys no chain library.
const WALLS: [(&str, &[&str]); 2] = [
    ("node", &["sim", "host", "revm", "revm-*", "axum", "axum-*", "tonic", "tonic-*", "ureq"]),
    ("client", &["evm", "host", "node"]),
];

/// Where the crate graph is.
pub(super) const GRAPH_PAGE: &str = "ARCHITECTURE.md";
const GRAPH_BEGIN: &str = "<!-- crate-graph:begin -->";
const GRAPH_END: &str = "<!-- crate-graph:end -->";

/// An edge `(from, to)`: the crate `from` has the crate `to` among its normal dependencies.
type Edge = (String, String);

/// The part of `cargo metadata --format-version 1` that the checks read.
#[derive(Deserialize)]
pub(super) struct Metadata {
    pub(super) packages: Vec<Package>,
    workspace_members: BTreeSet<String>,
    resolve: Resolve,
}

#[derive(Deserialize)]
pub(super) struct Package {
    id: String,
    pub(super) name: String,
    pub(super) version: String,
    pub(super) license: Option<String>,
    license_file: Option<String>,
    /// `registry+…`, `git+…`, or nothing for a path.
    source: Option<String>,
    manifest_path: String,
    dependencies: Vec<Dependency>,
}

impl Package {
    /// Where the licence's text is, of a package that says so.
    pub(super) fn licence_file(&self) -> Option<String> {
        let file = self.license_file.as_ref()?;
        Some(format!("{}/{file}", folder(&self.manifest_path)))
    }
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    /// Nothing for a normal dependency, else `dev` or `build`.
    kind: Option<String>,
    source: Option<String>,
    path: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<NodeDependency>,
}

#[derive(Deserialize)]
struct NodeDependency {
    pkg: String,
    dep_kinds: Vec<DependencyKind>,
}

#[derive(Deserialize)]
struct DependencyKind {
    kind: Option<String>,
}

impl Metadata {
    pub(super) fn parse(json: &str) -> Result<Self> {
        serde_json::from_str(json).context("parsing what `cargo metadata` printed")
    }

    /// Forgets packages that `cargo tree --prefix none` doesn't list. Cargo's metadata also has what an optional
    /// dependency of a dependency would bring if something asked for it (`dep?/feature`), and nobody compiles.
    pub(super) fn keep_compiled(&mut self, tree: &str) {
        let compiled: BTreeSet<(&str, &str)> = tree.lines().filter_map(name_and_version).collect();
        self.packages.retain(|package| compiled.contains(&(&package.name, &package.version)));
        let kept: BTreeSet<&str> =
            self.packages.iter().map(|package| package.id.as_str()).collect();
        self.resolve.nodes.retain(|node| kept.contains(node.id.as_str()));
    }

    fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| self.workspace_members.contains(&package.id))
    }
}

/// The crate graph of [`GRAPH_PAGE`] shows exactly the normal dependencies among workspace members, optional ones included.
pub(super) fn check_graph(metadata: &Metadata, page: Option<&str>) -> Vec<Finding> {
    const RULE: &str = "graph";
    let actual = member_edges(metadata);
    let Some(graph) = page.and_then(|text| text.split_once(GRAPH_BEGIN)?.1.split_once(GRAPH_END))
    else {
        let what = match page {
            None => format!("there is no {GRAPH_PAGE}, so no crate graph"),
            Some(_) => format!("{GRAPH_PAGE} has no `{GRAPH_BEGIN}` … `{GRAPH_END}`"),
        };
        return vec![Finding::new(
            RULE,
            what,
            format!("the graph of today is\n{}", mermaid(&actual)),
        )];
    };
    let claimed = match parse_mermaid(graph.0) {
        Ok(edges) => edges,
        Err(line) => {
            let hint =
                "one `a --> b` a line (`&` and chains are fine, dotted edges are not checked)";
            return vec![Finding::new(
                RULE,
                format!("can't read `{line}` in {GRAPH_PAGE}'s graph"),
                hint,
            )];
        }
    };
    let missing = actual.difference(&claimed).map(|(from, to)| {
        let what = format!("{from} depends on {to}, which {GRAPH_PAGE}'s graph doesn't show");
        let hint = format!(
            "a new edge is rare: remove the dependency, or add `{from} --> {to}` to the graph, explain it \
             there and argue it in the commit"
        );
        Finding::new(RULE, what, hint)
    });
    let extra = claimed.difference(&actual).map(|(from, to)| {
        let what = format!(
            "{GRAPH_PAGE}'s graph shows {from} --> {to}, but {from} doesn't depend on {to}"
        );
        Finding::new(RULE, what, "remove the edge from the graph")
    });
    missing.chain(extra).collect()
}

/// The normal dependency closure of each pure crate has no crate of [`WORLDLY`].
///
/// In `metadata` features are unified over the workspace, so a crate may seem to have what others ask of its
/// dependencies; `trees` gives `cargo tree --prefix none` of such a crate alone, with all its features.
pub(super) fn check_purity(
    metadata: &Metadata,
    trees: impl Fn(&str) -> Result<String>,
) -> Result<Vec<Finding>> {
    const RULE: &str = "purity";
    let mut findings = Vec::new();
    for name in PURE {
        let Some(start) = metadata.members().find(|package| package.name == name) else {
            let hint = "keep the list of pure crates in xtask/src/tidy/crates.rs in step with the workspace";
            findings.push(Finding::new(
                RULE,
                format!("the pure crate {name} is not in the workspace"),
                hint,
            ));
            continue;
        };
        let paths = own_paths_to(metadata, start, is_worldly, &trees)?;
        for path in paths {
            let what = format!("{name} is pure, but depends on {}", path.join(" -> "));
            let hint = "take what it gives as an argument, or move the code to an edge crate";
            findings.push(Finding::new(RULE, what, hint));
        }
    }
    Ok(findings)
}

/// Paths to what `is_wanted` names that `member` compiles by itself, whatever features others ask of its dependencies.
fn own_paths_to(
    metadata: &Metadata,
    member: &Package,
    is_wanted: impl Fn(&str) -> bool,
    trees: impl Fn(&str) -> Result<String>,
) -> Result<Vec<Vec<String>>> {
    let mut paths = paths_to(metadata, &member.id, is_wanted);
    if !paths.is_empty() {
        let tree = trees(&member.name)?;
        let alone: BTreeSet<&str> =
            tree.lines().filter_map(name_and_version).map(|(name, _)| name).collect();
        paths.retain(|path| path.last().is_some_and(|last| alone.contains(last.as_str())));
    }
    Ok(paths)
}

/// Each family of [`ROOMS`] is named by its one member, and [`CARRIERS`] are no more than that.
pub(super) fn check_rooms(metadata: &Metadata) -> Vec<Finding> {
    const RULE: &str = "rooms";
    let mut findings = Vec::new();
    for (room, families) in ROOMS {
        for member in metadata.members().filter(|member| member.name != room) {
            let named = member.dependencies.iter().filter(|dependency| {
                dependency.kind.as_deref() != Some("dev")
                    && families.iter().any(|family| is_of(&dependency.name, family))
            });
            for Dependency { name, .. } in named {
                let what = format!("{} depends on {name}, which is {room}'s alone", member.name);
                let hint = format!("use what {room} makes of it, or move the code there");
                findings.push(Finding::new(RULE, what, hint));
            }
        }
    }
    let (carried, carriers) = CARRIERS;
    for member in metadata.members().filter(|member| !carriers.contains(&member.name.as_str())) {
        for path in paths_to(metadata, &member.id, |name| name == carried) {
            let what = format!("{} carries {}", member.name, path.join(" -> "));
            let hint =
                format!("take a chain as an argument: {carried} is for {}", carriers.join(", "));
            findings.push(Finding::new(RULE, what, hint));
        }
    }
    findings
}

/// No member reaches what is behind its wall. `trees` as in [`check_purity`].
pub(super) fn check_walls(
    metadata: &Metadata,
    trees: impl Fn(&str) -> Result<String>,
) -> Result<Vec<Finding>> {
    const RULE: &str = "walls";
    let mut findings = Vec::new();
    for (name, forbidden) in WALLS {
        let is_forbidden = |name: &str| forbidden.iter().any(|pattern| is_of(name, pattern));
        let Some(member) = metadata.members().find(|member| member.name == name) else { continue };
        let paths = own_paths_to(metadata, member, is_forbidden, &trees)?;
        for path in paths {
            let what = format!("{name} reaches {}", path.join(" -> "));
            let hint = "take it as a port, or move the code to who may know it";
            findings.push(Finding::new(RULE, what, hint));
        }
    }
    Ok(findings)
}

/// Every dependency comes from the registry, but for the workspace's own crates.
pub(super) fn check_sources(metadata: &Metadata) -> Vec<Finding> {
    const RULE: &str = "sources";
    const HINT: &str = "depend on a release from the registry, or write the part that is needed";
    let manifests: BTreeSet<&str> =
        metadata.members().map(|member| folder(&member.manifest_path)).collect();
    let mut findings = Vec::new();
    for package in &metadata.packages {
        let Package { id, name, version, source, .. } = package;
        match source.as_deref() {
            Some(source) if source.starts_with("registry+") => {}
            None if metadata.workspace_members.contains(id) => {}
            None => findings.push(Finding::new(
                RULE,
                format!("{name} {version} is a path outside the workspace"),
                HINT,
            )),
            Some(source) => findings.push(Finding::new(
                RULE,
                format!("{name} {version} comes from {source}"),
                HINT,
            )),
        }
    }
    // Optional and platform-specific dependencies need not be among the packages; the manifests name them all.
    for member in metadata.members() {
        for Dependency { name, source, path, .. } in &member.dependencies {
            let is_git = source.as_deref().is_some_and(|source| source.starts_with("git+"));
            let is_outside = path.as_deref().is_some_and(|path| !manifests.contains(path));
            if is_git || is_outside {
                let place = source.as_deref().or(path.as_deref()).unwrap_or_default();
                findings.push(Finding::new(
                    RULE,
                    format!("{} names {name} at {place}", member.manifest_path),
                    HINT,
                ));
            }
        }
    }
    findings
}

/// The crates that are compiled into a measured program are the committed ones.
pub(super) fn check_closure(program: &str, tree: &str, committed: Option<&str>) -> Vec<Finding> {
    const RULE: &str = "closure";
    let actual = closure(tree);
    let Some(committed) = committed else {
        let what = format!(
            "crates/{program}/closure.txt, the list of crates inside the {program}, is missing"
        );
        return vec![Finding::new(RULE, what, "`cargo xtask tidy --bless` writes it")];
    };
    let actual: BTreeSet<&str> = actual.lines().collect();
    let committed: BTreeSet<&str> = committed.lines().collect();
    let hint = "every crate in there can read every secret: avoid it, or `cargo xtask tidy --bless` and argue it in the commit";
    let entered = actual.difference(&committed);
    let entered =
        entered.map(|name| Finding::new(RULE, format!("{name} has entered the {program}"), hint));
    let left = committed.difference(&actual).map(|name| {
        Finding::new(RULE, format!("{name} has left the {program}"), "`cargo xtask tidy --bless`")
    });
    entered.chain(left).collect()
}

/// The crates of `cargo tree --prefix none`, sorted, one `name version` a line.
///
/// The version is cut to what semver calls compatible (`1`, `0.9`), so that the list changes when a crate enters,
/// leaves, doubles or breaks, and not with every patch.
pub(super) fn closure(tree: &str) -> String {
    let crates: BTreeSet<String> = tree
        .lines()
        .filter_map(|line| {
            let (name, version) = name_and_version(line)?;
            let mut numbers = version.split('.');
            let (major, minor) = (numbers.next()?, numbers.next()?);
            Some(if major == "0" {
                format!("{name} 0.{minor}\n")
            } else {
                format!("{name} {major}\n")
            })
        })
        .collect();
    crates.into_iter().collect()
}

/// `("serde", "1.0.2")` of `serde v1.0.2 (*)`.
fn name_and_version(tree_line: &str) -> Option<(&str, &str)> {
    let (name, rest) = tree_line.split_once(" v")?;
    Some((name, rest.split(' ').next()?))
}

fn member_edges(metadata: &Metadata) -> BTreeSet<Edge> {
    let names: BTreeSet<&str> = metadata.members().map(|member| member.name.as_str()).collect();
    let edges = metadata.members().flat_map(|member| {
        let normal = member.dependencies.iter().filter(|dependency| dependency.kind.is_none());
        normal.map(|dependency| (member.name.clone(), dependency.name.clone()))
    });
    edges.filter(|(_, to)| names.contains(to.as_str())).collect()
}

fn mermaid(edges: &BTreeSet<Edge>) -> String {
    let lines: String = edges.iter().map(|(from, to)| format!("  {from} --> {to}\n")).collect();
    format!("{GRAPH_BEGIN}\n```mermaid\ngraph TD\n{lines}```\n{GRAPH_END}")
}

/// Reads the edges of a mermaid flowchart; the error is the line it doesn't understand.
///
/// Dotted edges say what cargo doesn't know (a binary embedded by a build script) and are left out.
fn parse_mermaid(graph: &str) -> Result<BTreeSet<Edge>, &str> {
    const NOT_EDGES: [&str; 10] = [
        "```",
        "graph",
        "flowchart",
        "subgraph",
        "end",
        "%%",
        "class",
        "style",
        "linkStyle",
        "direction",
    ];
    let mut edges = BTreeSet::new();
    for line in graph.lines().map(|line| line.trim().trim_end_matches(';')) {
        if line.is_empty()
            || line.contains("-.->")
            || NOT_EDGES.iter().any(|word| line.starts_with(word))
        {
            continue;
        }
        let groups: Vec<Vec<&str>> =
            line.split("-->").map(|group| group.split('&').map(node_name).collect()).collect();
        if groups.iter().flatten().any(|name| name.is_empty() || name.contains(char::is_whitespace))
        {
            return Err(line);
        }
        for pair in groups.windows(2) {
            let [from, to] = pair else { unreachable!("windows of two") };
            let product =
                from.iter().flat_map(|a| to.iter().map(move |b| ((*a).into(), (*b).into())));
            edges.extend(product);
        }
    }
    Ok(edges)
}

/// `name` of `name`, `name[label]`, `name(label)`.
fn node_name(node: &str) -> &str {
    node.split(['[', '(', '{', ':']).next().unwrap_or_default().trim()
}

/// For each crate in the closure of `start` that is `sought` by its name, one shortest path of names to it.
fn paths_to(metadata: &Metadata, start: &str, sought: impl Fn(&str) -> bool) -> Vec<Vec<String>> {
    let names: BTreeMap<&str, &str> = metadata
        .packages
        .iter()
        .map(|package| (package.id.as_str(), package.name.as_str()))
        .collect();
    let nodes: BTreeMap<&str, &Node> =
        metadata.resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
    let mut parents = BTreeMap::from([(start, start)]);
    let mut queue = vec![start];
    let mut next_idx = 0;
    while let Some(&id) = queue.get(next_idx) {
        next_idx += 1;
        for dependency in nodes.get(id).map_or(&[][..], |node| &node.deps) {
            let is_normal = dependency.dep_kinds.iter().any(|kind| kind.kind.is_none());
            let is_new = !parents.contains_key(dependency.pkg.as_str());
            if is_normal && is_new && nodes.contains_key(dependency.pkg.as_str()) {
                parents.insert(&dependency.pkg, id);
                queue.push(&dependency.pkg);
            }
        }
    }
    let name = |id: &str| names.get(id).copied().unwrap_or(id).to_owned();
    let found = queue.iter().filter(|id| sought(&name(id)));
    found
        .map(|&id| {
            let mut path = vec![name(id)];
            let mut id = id;
            while parents[id] != start {
                id = parents[id];
                path.insert(0, name(id));
            }
            path
        })
        .collect()
}

fn is_worldly(name: &str) -> bool {
    WORLDLY.iter().any(|pattern| is_of(name, pattern))
}

/// `x-*` stands for every name that begins like that.
fn is_of(name: &str, pattern: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(family) => name.starts_with(family),
        None => name == pattern,
    }
}

fn folder(manifest_path: &str) -> &str {
    manifest_path.strip_suffix("/Cargo.toml").unwrap_or(manifest_path)
}

#[cfg(test)]
pub(super) mod tests {
    use std::process::Command;

    use serde_json::{Value, json};

    use super::*;

    /// Metadata of a workspace in `/w` whose members are the pure crates and `enclave`; `edges` are normal
    /// dependencies, and a crate that is no member comes from the registry under MIT.
    pub(crate) fn metadata(edges: &[(&str, &str)]) -> Value {
        let members: BTreeSet<&str> = PURE.into_iter().chain(["enclave"]).collect();
        let all: BTreeSet<&str> = edges
            .iter()
            .flat_map(|(from, to)| [*from, *to])
            .chain(members.iter().copied())
            .collect();
        let of = |name: &str| {
            edges
                .iter()
                .filter(move |(from, _)| *from == name)
                .map(|(_, to)| *to)
                .collect::<Vec<_>>()
        };
        let path = |name: &str| members.contains(name).then(|| format!("/w/crates/{name}"));
        let registry = |name: &str| (!members.contains(name)).then_some("registry+https://index");
        let packages = all.iter().map(|name| {
            let dependencies = of(name).into_iter().map(|to| {
                json!({ "name": to, "kind": null, "source": registry(to), "path": path(to) })
            });
            json!({
                "id": name, "name": name, "version": "0.1.0", "license": "MIT", "source": registry(name),
                "manifest_path": format!("/w/crates/{name}/Cargo.toml"),
                "dependencies": dependencies.collect::<Vec<_>>(),
            })
        });
        let nodes = all.iter().map(|name| {
            let deps = of(name)
                .into_iter()
                .map(|to| json!({ "pkg": to, "dep_kinds": [{ "kind": null }] }));
            json!({ "id": name, "deps": deps.collect::<Vec<_>>() })
        });
        json!({
            "packages": packages.collect::<Vec<_>>(), "workspace_members": members,
            "resolve": { "nodes": nodes.collect::<Vec<_>>() },
        })
    }

    pub(crate) fn parse(metadata: &Value) -> Metadata {
        Metadata::parse(&metadata.to_string()).unwrap()
    }

    /// What was found, one line each.
    pub(crate) fn whats(findings: &[Finding]) -> Vec<&str> {
        findings.iter().map(|finding| finding.what.as_str()).collect()
    }

    const EDGES: [(&str, &str); 4] = [
        ("pool", "primitives"),
        ("protocol", "pool"),
        ("enclave", "protocol"),
        ("protocol", "serde"),
    ];

    fn page(graph: &str) -> String {
        format!("# CDPR\n{GRAPH_BEGIN}\n```mermaid\ngraph TD\n{graph}\n```\n{GRAPH_END}\nMore.")
    }

    #[test]
    fn a_true_graph_passes_whatever_its_notation() {
        let metadata = parse(&metadata(&EDGES));
        for graph in [
            "pool --> primitives\nprotocol --> pool\nenclave --> protocol",
            "  enclave[the enclave] --> protocol --> pool --> primitives;\n  cdpr -.-> enclave",
        ] {
            assert!(check_graph(&metadata, Some(&page(graph))).is_empty(), "{graph}");
        }
    }

    #[test]
    fn the_graph_that_a_missing_page_is_told_to_take_passes() {
        let metadata = parse(&metadata(&EDGES));
        let findings = check_graph(&metadata, None);
        assert_eq!(whats(&findings), ["there is no ARCHITECTURE.md, so no crate graph"]);
        assert!(check_graph(&metadata, Some(&findings[0].hint)).is_empty());
    }

    #[test]
    fn a_missing_and_an_extra_edge_are_named() {
        let metadata = parse(&metadata(&EDGES));
        let findings = check_graph(
            &metadata,
            Some(&page("pool --> primitives & enclave\nenclave --> protocol")),
        );
        assert_eq!(
            whats(&findings),
            [
                "protocol depends on pool, which ARCHITECTURE.md's graph doesn't show",
                "ARCHITECTURE.md's graph shows pool --> enclave, but pool doesn't depend on enclave",
            ]
        );
    }

    #[test]
    fn an_unreadable_graph_line_is_an_error_and_not_skipped() {
        let findings =
            check_graph(&parse(&metadata(&EDGES)), Some(&page("protocol depends on tokio")));
        assert_eq!(
            whats(&findings),
            ["can't read `protocol depends on tokio` in ARCHITECTURE.md's graph"]
        );
    }

    #[test]
    fn a_heavy_crate_outside_of_its_room_is_refused() {
        let members = ["evm", "devchain", "don", "server", "sim", "node"];
        let rooms = |edges: &[(&str, &str)], dev: &[(&str, &str)]| {
            let mut value =
                metadata(&[edges, &[("sim", "devchain"), ("devchain", "revm")]].concat());
            value["workspace_members"].as_array_mut().unwrap().extend(members.map(Value::from));
            for package in value["packages"].as_array_mut().unwrap() {
                let name = package["name"].clone();
                for (_, to) in dev.iter().filter(|(from, _)| name == *from) {
                    let dependency = json!({ "name": to, "kind": "dev" });
                    package["dependencies"].as_array_mut().unwrap().push(dependency);
                }
            }
            let findings = check_rooms(&parse(&value));
            whats(&findings).into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        let honest =
            [("evm", "alloy"), ("don", "ureq"), ("server", "axum"), ("server", "tonic-prost")];
        assert!(rooms(&honest, &[("evm", "revm"), ("don", "devchain")]).is_empty());
        assert_eq!(
            rooms(&[("evm", "revm-context"), ("don", "axum"), ("server", "ureq")], &[]),
            [
                "evm depends on revm-context, which is devchain's alone",
                "server depends on ureq, which is don's alone",
                "don depends on axum, which is server's alone",
            ]
        );
        assert_eq!(
            rooms(&[("node", "don"), ("don", "sim")], &[]),
            ["don carries sim -> devchain", "node carries don -> sim -> devchain"]
        );
    }

    #[test]
    fn protocol_on_tokio_alloy_or_revm_is_refused() {
        assert!(impurities(&parse(&metadata(&EDGES))).is_empty());
        for worldly in ["tokio", "alloy", "alloy-provider", "revm", "revm-context"] {
            let mut edges = EDGES.to_vec();
            edges.push(("protocol", worldly));
            let findings = impurities(&parse(&metadata(&edges)));
            assert_eq!(whats(&findings), [format!("protocol is pure, but depends on {worldly}")]);
        }
    }

    #[test]
    fn a_transitive_impurity_is_named_with_its_path() {
        let mut edges = EDGES.to_vec();
        edges.extend([("serde", "sneaky"), ("sneaky", "mio")]);
        let findings = impurities(&parse(&metadata(&edges)));
        assert_eq!(whats(&findings), ["protocol is pure, but depends on serde -> sneaky -> mio"]);
    }

    #[test]
    fn what_is_behind_a_wall_is_named_with_its_path_unless_only_others_ask_for_it() {
        let mut value = metadata(&[("node", "don"), ("don", "tonic"), ("client", "pool")]);
        let members = ["node", "client"].map(Value::from);
        value["workspace_members"].as_array_mut().unwrap().extend(members);
        let walls = |tree: &str| check_walls(&parse(&value), |_| Ok(tree.to_owned())).unwrap();
        assert_eq!(whats(&walls("don v1.0.0\ntonic v1.0.0")), ["node reaches don -> tonic"]);
        assert!(walls("don v1.0.0").is_empty());
    }

    /// Of crates that have alone what the workspace gives them.
    fn impurities(metadata: &Metadata) -> Vec<Finding> {
        let all = |_: &str| {
            let line = |package: &Package| format!("{} v{}\n", package.name, package.version);
            Ok(metadata.packages.iter().map(line).collect())
        };
        check_purity(metadata, all).unwrap()
    }

    #[test]
    fn what_others_ask_of_a_dependency_is_not_a_crates_own() {
        let mut edges = EDGES.to_vec();
        edges.extend([("serde", "sneaky"), ("sneaky", "mio")]);
        let metadata = parse(&metadata(&edges));
        let alone = |_: &str| Ok("protocol v0.1.0\nserde v0.1.0\nsneaky v0.1.0\n".to_owned());
        assert!(check_purity(&metadata, alone).unwrap().is_empty());
    }

    #[test]
    fn what_metadata_lists_but_nobody_compiles_is_forgotten() {
        let mut metadata = parse(&metadata(&[("protocol", "ruint"), ("ruint", "tokio")]));
        assert_eq!(impurities(&metadata).len(), 1);
        let members = PURE.map(|name| format!("{name} v0.1.0 (/w/crates/{name})\n")).concat();
        metadata.keep_compiled(&format!("{members}ruint v0.1.0\nruint v0.1.0 (*)\ntokio v0.2.0\n"));
        assert!(impurities(&metadata).is_empty());
    }

    #[test]
    fn a_dev_dependency_on_tokio_is_allowed_and_the_enclave_may_have_one() {
        let mut metadata = metadata(&[("protocol", "tokio"), ("enclave", "tokio")]);
        for node in metadata["resolve"]["nodes"].as_array_mut().unwrap() {
            if node["id"] == "protocol" {
                node["deps"][0]["dep_kinds"][0]["kind"] = json!("dev");
            }
        }
        assert!(impurities(&parse(&metadata)).is_empty());
    }

    /// The same with the real `cargo metadata`, over a workspace whose `tokio`, `alloy` and `revm` are empty crates.
    #[test]
    fn cargo_itself_reports_protocol_on_tokio_alloy_or_revm() {
        let root = std::env::temp_dir().join(format!("cdpr-tidy-{}", std::process::id()));
        let worldly = ["tokio", "alloy", "revm"];
        for name in PURE.into_iter().chain(worldly) {
            let dependencies = if name == "protocol" {
                worldly.map(|to| format!("{to} = {{ path = \"../{to}\" }}\n")).concat()
            } else {
                String::new()
            };
            let folder = root.join(name);
            std::fs::create_dir_all(folder.join("src")).unwrap();
            std::fs::write(folder.join("src/lib.rs"), "").unwrap();
            let manifest = format!(
                "[package]\nname = \"{name}\"\nedition = \"2024\"\n[dependencies]\n{dependencies}"
            );
            std::fs::write(folder.join("Cargo.toml"), manifest).unwrap();
        }
        std::fs::write(
            root.join("Cargo.toml"),
            "[workspace]\nmembers = [\"*\"]\nresolver = \"3\"\n",
        )
        .unwrap();
        let output = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()))
            .args(["metadata", "--format-version", "1", "--offline"])
            .current_dir(&root)
            .output()
            .unwrap();
        std::fs::remove_dir_all(&root).unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let metadata = Metadata::parse(&String::from_utf8(output.stdout).unwrap()).unwrap();
        let mut found: Vec<_> =
            impurities(&metadata).into_iter().map(|finding| finding.what).collect();
        found.sort();
        assert_eq!(
            found,
            ["alloy", "revm", "tokio"].map(|to| format!("protocol is pure, but depends on {to}"))
        );
    }

    #[test]
    fn a_git_source_and_a_path_outside_are_refused() {
        assert!(check_sources(&parse(&metadata(&EDGES))).is_empty());
        let mut doctored = metadata(&EDGES);
        for package in doctored["packages"].as_array_mut().unwrap() {
            if package["name"] == "serde" {
                package["source"] = json!("git+https://example.org/serde");
            }
            if package["name"] == "enclave" {
                package["dependencies"] = json!([{ "name": "fork", "kind": "dev", "source": null, "path": "/w/../fork" }]);
            }
        }
        assert_eq!(
            whats(&check_sources(&parse(&doctored))),
            [
                "serde 0.1.0 comes from git+https://example.org/serde",
                "/w/crates/enclave/Cargo.toml names fork at /w/../fork"
            ]
        );
    }

    #[test]
    fn a_crate_that_enters_or_leaves_the_enclave_is_named() {
        let tree = "enclave v0.1.0 (/w/crates/enclave)\nserde v1.0.2\nsha2 v0.11.0\nsha2 v0.10.9\nserde v1.0.2 (*)\n";
        let blessed = closure(tree);
        assert_eq!(blessed, "enclave 0.1\nserde 1\nsha2 0.10\nsha2 0.11\n");
        assert!(check_closure("enclave", tree, Some(&blessed)).is_empty());
        let findings = check_closure(
            "enclave",
            &format!("{tree}log v0.4.2\n"),
            Some(&format!("{blessed}old 1\n")),
        );
        assert_eq!(
            whats(&findings),
            ["log 0.4 has entered the enclave", "old 1 has left the enclave"]
        );
        assert!(check_closure("enclave", tree, None)[0].hint.contains("--bless"));
    }
}
