// Each node fetches a price; the DON agrees on the median, reads a secret and signs a report.
import {
  consensusMedianAggregation,
  CronCapability,
  handler,
  HTTPClient,
  type NodeRuntime,
  Runner,
  type Runtime,
  hexToBase64,
  text,
} from "@chainlink/cre-sdk";

type Config = { url: string };

const price = (runtime: NodeRuntime<Config>): number => {
  runtime.log("fetching");
  const response = new HTTPClient().sendRequest(runtime, { url: runtime.config.url, method: "GET" }).result();
  return Number.parseFloat(text(response));
};

const hex = (ascii: string): string =>
  `0x${[...ascii].map((letter) => letter.charCodeAt(0).toString(16).padStart(2, "0")).join("")}`;

const onTick = (runtime: Runtime<Config>): string => {
  const agreed = runtime.runInNodeMode(price, consensusMedianAggregation<number>())().result();
  const secret = runtime.getSecret({ id: "KEY" }).result();
  runtime
    .report({ encodedPayload: hexToBase64(hex(`price ${agreed}`)), encoderName: "evm", signingAlgo: "ecdsa", hashingAlgo: "keccak256" })
    .result();
  return `${agreed} ${secret.value}`;
};

export async function main() {
  const runner = await Runner.newRunner<Config>();
  await runner.run(() => [handler(new CronCapability().trigger({ schedule: "*/30 * * * * *" }), onTick)]);
}
