// Each handler uses a runtime in the wrong mode.
import {
  consensusIdenticalAggregation,
  CronCapability,
  handler,
  HTTPClient,
  type NodeRuntime,
  Runner,
  type Runtime,
} from "@chainlink/cre-sdk";

type Config = { url: string };

const secretInNodeMode = (runtime: Runtime<Config>): string =>
  runtime
    .runInNodeMode(() => runtime.getSecret({ id: "KEY" }).result().value, consensusIdenticalAggregation<string>())()
    .result();

const nodeRuntimeOutside = (runtime: Runtime<Config>): string => {
  let kept: NodeRuntime<Config> | undefined;
  runtime
    .runInNodeMode((node: NodeRuntime<Config>) => {
      kept = node;
      return "kept";
    }, consensusIdenticalAggregation<string>())()
    .result();
  const response = new HTTPClient().sendRequest(kept as NodeRuntime<Config>, { url: runtime.config.url, method: "GET" });
  return `${response.result().statusCode}`;
};

export async function main() {
  const runner = await Runner.newRunner<Config>();
  await runner.run(() => [
    handler(new CronCapability().trigger({ schedule: "0 * * * * *" }), secretInNodeMode),
    handler(new CronCapability().trigger({ schedule: "30 * * * * *" }), nodeRuntimeOutside),
  ]);
}
