// Bundles workflows/*.ts with the official SDK's own script, and puts the plugin beside them:
// dist/<name>.js and dist/plugin.wasm, as crates/engine/tests/typescript.rs reads them.
// npm ci && node build.mjs [folder with node_modules]
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readdirSync, existsSync, symlinkSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const modules = join(here, "node_modules");
if (!existsSync(modules)) {
  if (!process.argv[2]) throw new Error("run `npm ci` first");
  symlinkSync(join(resolve(process.argv[2]), "node_modules"), modules);
}

// npm may have blocked bun's postinstall; the platform's package has the program all the same.
const oven = join(modules, "@oven");
const platform = readdirSync(oven).find((name) => existsSync(join(oven, name, "bin", "bun")));
if (!platform) throw new Error("bun has no program for this platform");
const bun = join(oven, platform, "bin", "bun");

const dist = join(here, "dist");
mkdirSync(dist, { recursive: true });
copyFileSync(
  join(modules, "@chainlink/cre-sdk-javy-plugin/dist/javy-chainlink-sdk.plugin.wasm"),
  join(dist, "plugin.wasm"),
);
for (const file of readdirSync(join(here, "workflows")).filter((name) => name.endsWith(".ts")).sort()) {
  const out = join(dist, file.replace(/\.ts$/, ".js"));
  execFileSync(
    bun,
    [join(modules, "@chainlink/cre-sdk/scripts/run.ts"), "compile-to-js", join(here, "workflows", file), out, "--skip-type-checks"],
    // The script calls `bun` by name.
    { cwd: here, stdio: "inherit", env: { ...process.env, PATH: `${dirname(bun)}:${process.env.PATH}` } },
  );
}
