// The official Node SDK against an OpenAI endpoint: semgate, or the fake provider itself. Started by
// run.sh with the same environment as sdk_test.py, plus SDK_NODE, the folder that holds node_modules.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";

const env = process.env;
const OpenAI = createRequire(`${env.SDK_NODE}/`)("openai");
const gateway = env.SDK_GATEWAY === "1";
const prefix = env.SDK_PREFIX ?? "";
const model = `${prefix}fake-small`;
const skip = gateway ? false : "only behind semgate";

const sdk = (options = {}) =>
  new OpenAI({ baseURL: env.SDK_BASE_URL, apiKey: "sk-anything", maxRetries: 0, ...options });
const user = (content) => [{ role: "user", content }];
const tools = [
  {
    type: "function",
    function: {
      name: "get_weather",
      parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
    },
  },
];

async function collect(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

const text = (chunks) => chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("");

test("chat", async () => {
  const messages = user("How can I reset my password?");
  const answer = await sdk().chat.completions.create({ model, messages });
  assert.match(answer.choices[0].message.content, /Forgot password/);
  assert.equal(answer.choices[0].finish_reason, "stop");
  const { prompt_tokens, completion_tokens, total_tokens } = answer.usage;
  assert.equal(total_tokens, prompt_tokens + completion_tokens);
});

test("stream without usage", async () => {
  const messages = user("How do I cancel my subscription?");
  const chunks = await collect(
    await sdk().chat.completions.create({ model, messages, stream: true }),
  );
  assert.match(text(chunks), /Billing/);
  assert.ok(chunks.length > 5);
  assert.ok(chunks.every((chunk) => chunk.choices.length === 1 && !chunk.usage));
  assert.equal(new Set(chunks.map((chunk) => chunk.id)).size, 1);
  assert.equal(chunks.at(-1).choices[0].finish_reason, "stop");
});

test("stream with usage", async () => {
  const messages = user("How do I renew my subscription?");
  const stream_options = { include_usage: true };
  const chunks = await collect(
    await sdk().chat.completions.create({ model, messages, stream: true, stream_options }),
  );
  assert.deepEqual(chunks.at(-1).choices, []);
  assert.ok(chunks.at(-1).usage.completion_tokens > 5);
  assert.ok(chunks.slice(0, -1).every((chunk) => chunk.choices.length === 1 && !chunk.usage));
});

test("stream helper assembles the answer", async () => {
  const messages = user("What is the capital of Austria?");
  const stream = sdk().chat.completions.stream({ model, messages });
  assert.equal((await stream.finalChatCompletion()).choices[0].message.content, "Vienna.");
});

test("tool call and its result", async () => {
  const messages = user("What is the weather in Lisbon?");
  const answer = await sdk().chat.completions.create({ model, messages, tools });
  assert.equal(answer.choices[0].finish_reason, "tool_calls");
  const call = answer.choices[0].message.tool_calls[0];
  assert.deepEqual(JSON.parse(call.function.arguments), { city: "Lisbon" });
  messages.push(answer.choices[0].message);
  messages.push({ role: "tool", tool_call_id: call.id, content: "31 degrees" });
  const final = await sdk().chat.completions.create({ model, messages, tools });
  assert.match(final.choices[0].message.content, /31 degrees/);
});

test("streamed tool call", async () => {
  const messages = user("What is the weather in Madrid?");
  const chunks = await collect(
    await sdk().chat.completions.create({ model, messages, tools, stream: true }),
  );
  const calls = chunks.flatMap((chunk) => chunk.choices[0].delta.tool_calls ?? []);
  assert.equal(calls[0].function.name, "get_weather");
  const written = calls.map((call) => call.function.arguments ?? "").join("");
  assert.deepEqual(JSON.parse(written), { city: "Madrid" });
  assert.equal(chunks.at(-1).choices[0].finish_reason, "tool_calls");
});

test("unknown model", async () => {
  const asked = sdk().chat.completions.create({ model: "no-such-model", messages: user("Hi") });
  await assert.rejects(asked, (error) => {
    assert.ok(error instanceof OpenAI.NotFoundError);
    assert.equal(error.code, "model_not_found");
    return true;
  });
});

test("bad parameter", async () => {
  const asked = sdk().chat.completions.create({ model, messages: user("Hi"), temperature: 9 });
  await assert.rejects(asked, (error) => {
    assert.ok(error instanceof OpenAI.BadRequestError);
    assert.equal(error.param, "temperature");
    return true;
  });
});

test("wrong and right key", async () => {
  const baseURL = env.SDK_KEYED_URL;
  await assert.rejects(sdk({ baseURL, apiKey: "sg-wrong" }).models.list(), (error) => {
    assert.ok(error instanceof OpenAI.AuthenticationError);
    assert.equal(error.code, "invalid_api_key");
    return true;
  });
  const messages = user("With the right key.");
  const right = sdk({ baseURL, apiKey: env.SDK_KEY });
  const answer = await right.chat.completions.create({ model, messages });
  assert.equal(answer.choices[0].finish_reason, "stop");
});

test("models", async () => {
  const names = (await collect(await sdk().models.list())).map((known) => known.id);
  assert.ok(names.includes(gateway ? "auto" : "fake-small"), names.join());
  for (const name of names) assert.equal((await sdk().models.retrieve(name)).id, name);
});

test("a cut stream raises", async () => {
  const cut = { model: `${prefix}fake-small~cut=5`, messages: user("Cut."), stream: true };
  const parts = [];
  const read = async () => {
    for await (const chunk of await sdk().chat.completions.create(cut)) {
      parts.push(chunk.choices[0].delta.content);
    }
  };
  // Straight from the provider the transport's own error is as good.
  await assert.rejects(read(), (error) => !gateway || error instanceof OpenAI.APIError);
  assert.equal(parts.filter(Boolean).length, 5);
});

test("a repeat is served from memory", { skip }, async () => {
  const body = { model: "auto", messages: user("Explain in one sentence what a futex is.") };
  const first = await sdk().chat.completions.create(body).withResponse();
  const second = await sdk().chat.completions.create(body).withResponse();
  assert.match(first.response.headers.get("cache-status"), /^semgate; fwd=miss; stored/);
  assert.match(second.response.headers.get("cache-status"), /^semgate; hit; ttl=\d+; detail=exact$/);
  assert.equal(second.data.choices[0].message.content, first.data.choices[0].message.content);
  assert.notEqual(second.data.id, first.data.id);
  const streamed = await sdk().chat.completions.create({ ...body, stream: true }).withResponse();
  assert.match(streamed.response.headers.get("cache-status"), /hit/);
  assert.equal(text(await collect(streamed.data)), first.data.choices[0].message.content);
});
