"""The official Python SDK against an OpenAI endpoint: semgate, or the fake provider itself.

Started by run.sh, which sets
  SDK_BASE_URL   endpoint under test, with /v1
  SDK_KEYED_URL  the same with a key configured, and SDK_KEY, that key
  SDK_PREFIX     put before the fake provider's model names ("fake/" behind semgate)
  SDK_GATEWAY    1 behind semgate: then what only a gateway does is checked as well
"""

import asyncio
import json
import os
import unittest

import openai
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

BASE_URL = os.environ["SDK_BASE_URL"]
KEYED_URL = os.environ["SDK_KEYED_URL"]
KEY = os.environ["SDK_KEY"]
PREFIX = os.environ.get("SDK_PREFIX", "")
GATEWAY = os.environ.get("SDK_GATEWAY") == "1"
behind_gateway = unittest.skipUnless(GATEWAY, "only behind semgate")

MODEL = f"{PREFIX}fake-small"
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}


def user(text):
    return [{"role": "user", "content": text}]


def client(**options):
    options = {"base_url": BASE_URL, "api_key": "sk-anything", "max_retries": 0} | options
    return OpenAI(**options)


class Chat(unittest.TestCase):
    def test_chat(self):
        answer = client().chat.completions.create(
            model=MODEL, messages=user("How do I reset my password?")
        )
        self.assertEqual(answer.object, "chat.completion")
        self.assertIn("Forgot password", answer.choices[0].message.content)
        self.assertEqual(answer.choices[0].finish_reason, "stop")
        self.assertEqual(
            answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens
        )

    def test_async_chat_and_stream(self):
        async def both():
            async with AsyncOpenAI(base_url=BASE_URL, api_key="sk-anything") as sdk:
                answer = await sdk.chat.completions.create(model=MODEL, messages=user("Async?"))
                stream = await sdk.chat.completions.create(
                    model=MODEL, messages=user("Async?"), stream=True
                )
                parts = [chunk.choices[0].delta.content or "" async for chunk in stream]
                return answer.choices[0].message.content, "".join(parts)

        whole, streamed = asyncio.run(both())
        self.assertEqual(whole, streamed)
        self.assertIn("Async?", whole)

    def test_structured_answer(self):
        class Answer(BaseModel):
            answer: str
            sure: bool

        parsed = client().chat.completions.parse(
            model=MODEL, messages=user("How do I reset my password?"), response_format=Answer
        )
        self.assertTrue(parsed.choices[0].message.parsed.sure)
        self.assertIn("password", parsed.choices[0].message.parsed.answer)

    def test_length(self):
        answer = client().chat.completions.create(
            model=MODEL, messages=user("Which plans include phone support?"), max_tokens=4
        )
        self.assertEqual(answer.choices[0].finish_reason, "length")
        self.assertEqual(answer.usage.completion_tokens, 4)


class Stream(unittest.TestCase):
    def stream(self, **options):
        options = {"model": MODEL, "messages": user("How do I enable 2FA?")} | options
        return list(client().chat.completions.create(stream=True, **options))

    def test_without_usage(self):
        chunks = self.stream()
        self.assertTrue(all(len(chunk.choices) == 1 for chunk in chunks))
        self.assertTrue(all(chunk.usage is None for chunk in chunks))
        self.assertEqual(len({(c.id, c.created, c.model) for c in chunks}), 1)
        self.assertEqual(chunks[0].choices[0].delta.role, "assistant")
        finishes = [c.choices[0].finish_reason for c in chunks if c.choices[0].finish_reason]
        self.assertEqual(finishes, ["stop"])
        self.assertGreater(len(chunks), 5)

    def test_with_usage(self):
        chunks = self.stream(
            messages=user("How do I disable 2FA?"), stream_options={"include_usage": True}
        )
        *others, last = chunks
        self.assertEqual(last.choices, [])
        self.assertGreater(last.usage.completion_tokens, 5)
        self.assertTrue(all(chunk.choices and chunk.usage is None for chunk in others))

    def test_helper_assembles_the_answer(self):
        question = user("What is the capital of Australia?")
        with client().chat.completions.stream(model=MODEL, messages=question) as stream:
            final = stream.get_final_completion()
        self.assertEqual(final.choices[0].message.content, "Canberra.")

    def test_early_close(self):
        sdk = client()
        stream = sdk.chat.completions.create(
            model=f"{PREFIX}fake-small~tokens=2000", messages=user("Long."), stream=True
        )
        next(iter(stream))
        stream.close()
        answer = sdk.chat.completions.create(model=MODEL, messages=user("Still there?"))
        self.assertEqual(answer.choices[0].finish_reason, "stop")

    def test_a_cut_stream_raises(self):
        model = f"{PREFIX}fake-small~cut=5"
        parts = []
        # Straight from the provider the transport's own error is as good.
        error = openai.APIError if GATEWAY else Exception
        with self.assertRaises(error):
            for chunk in client().chat.completions.create(
                model=model, messages=user("Cut."), stream=True
            ):
                parts.append(chunk.choices[0].delta.content)
        self.assertEqual(len([part for part in parts if part]), 5)

    def test_an_error_event_raises(self):
        model = f"{PREFIX}fake-small~error-after=3"
        with self.assertRaises(openai.APIError):
            list(client().chat.completions.create(model=model, messages=user("E"), stream=True))


class Tools(unittest.TestCase):
    def test_call_and_result(self):
        messages = user("What is the weather in Oslo?")
        sdk = client()
        answer = sdk.chat.completions.create(model=MODEL, messages=messages, tools=[WEATHER])
        self.assertEqual(answer.choices[0].finish_reason, "tool_calls")
        message = answer.choices[0].message
        call = message.tool_calls[0]
        self.assertEqual(call.function.name, "get_weather")
        self.assertEqual(json.loads(call.function.arguments), {"city": "Oslo"})
        messages.append(message.model_dump(exclude_none=True))
        messages.append({"role": "tool", "tool_call_id": call.id, "content": "12 degrees"})
        final = sdk.chat.completions.create(model=MODEL, messages=messages, tools=[WEATHER])
        self.assertIn("12 degrees", final.choices[0].message.content)

    def test_streamed_call(self):
        chunks = client().chat.completions.create(
            model=MODEL,
            messages=user("What is the weather in Bergen?"),
            tools=[WEATHER],
            stream=True,
        )
        name, arguments, finish = "", "", None
        for chunk in chunks:
            for call in chunk.choices[0].delta.tool_calls or []:
                name += call.function.name or ""
                arguments += call.function.arguments or ""
            finish = chunk.choices[0].finish_reason or finish
        self.assertEqual((name, json.loads(arguments)), ("get_weather", {"city": "Bergen"}))
        self.assertEqual(finish, "tool_calls")


class Errors(unittest.TestCase):
    def test_unknown_model(self):
        with self.assertRaises(openai.NotFoundError) as caught:
            client().chat.completions.create(model="no-such-model", messages=user("Hi"))
        self.assertEqual(caught.exception.code, "model_not_found")
        self.assertEqual(caught.exception.type, "invalid_request_error")

    def test_bad_parameter(self):
        with self.assertRaises(openai.BadRequestError) as caught:
            client().chat.completions.create(model=MODEL, messages=user("Hi"), temperature="hot")
        self.assertEqual(caught.exception.param, "temperature")

    def test_no_messages(self):
        with self.assertRaises(openai.BadRequestError) as caught:
            client().chat.completions.create(model=MODEL, messages=[])
        self.assertEqual(caught.exception.param, "messages")

    def test_wrong_key(self):
        with self.assertRaises(openai.AuthenticationError) as caught:
            client(base_url=KEYED_URL, api_key="sg-wrong").models.list()
        self.assertEqual(caught.exception.code, "invalid_api_key")
        right = client(base_url=KEYED_URL, api_key=KEY)
        answer = right.chat.completions.create(model=MODEL, messages=user("With a key."))
        self.assertEqual(answer.choices[0].finish_reason, "stop")

    def test_rate_limit(self):
        model = f"{PREFIX}fake-small~status=429~retry-after=1"
        with self.assertRaises(openai.RateLimitError) as caught:
            client().chat.completions.create(model=model, messages=user("Hi"))
        self.assertEqual(caught.exception.code, "rate_limit_exceeded")

    def test_upstream_refusal_passes(self):
        model = f"{PREFIX}fake-small~context"
        with self.assertRaises(openai.BadRequestError) as caught:
            client().chat.completions.create(model=model, messages=user("Hi"))
        self.assertEqual(caught.exception.code, "context_length_exceeded")

    @behind_gateway
    def test_a_failed_upstream_is_not_retried_by_the_sdk(self):
        with self.assertRaises(openai.InternalServerError) as caught:
            client(max_retries=2).chat.completions.create(
                model=f"{PREFIX}fake-small~status=500", messages=user("Hi")
            )
        self.assertEqual(caught.exception.status_code, 502)
        self.assertEqual(caught.exception.code, "upstream_failed")
        self.assertEqual(caught.exception.response.headers["x-should-retry"], "false")


class Models(unittest.TestCase):
    def test_list_and_retrieve(self):
        names = [model.id for model in client().models.list()]
        self.assertIn("auto" if GATEWAY else "fake-small", names)
        for name in names:
            self.assertEqual(client().models.retrieve(name).id, name)
        with self.assertRaises(openai.NotFoundError):
            client().models.retrieve("no-such-model")


@behind_gateway
class Cache(unittest.TestCase):
    def ask(self, text, **options):
        options = {"model": "auto", "messages": user(text)} | options
        return client().chat.completions.with_raw_response.create(**options)

    def test_a_repeat_is_served_from_memory(self):
        first = self.ask("Explain in one sentence what a mutex is.")
        second = self.ask("Explain in one sentence what a mutex is.")
        self.assertTrue(first.headers["cache-status"].startswith("semgate; fwd=miss; stored"))
        self.assertRegex(second.headers["cache-status"], r"^semgate; hit; ttl=\d+; detail=exact$")
        self.assertEqual(second.headers["x-semgate-attempts"], "0")
        self.assertEqual(float(second.headers["x-semgate-cost-usd"]), 0.0)
        self.assertGreater(float(second.headers["x-semgate-saved-usd"]), 0.0)
        one, two = first.parse(), second.parse()
        self.assertEqual(one.choices[0].message.content, two.choices[0].message.content)
        self.assertNotEqual(one.id, two.id)
        self.assertTrue(two.id.startswith("chatcmpl-"))

    def test_a_stream_from_a_stored_answer(self):
        text = "Explain in one sentence what a semaphore is."
        whole = self.ask(text).parse().choices[0].message.content
        raw = self.ask(text, stream=True)
        self.assertIn("hit", raw.headers["cache-status"])
        chunks = list(raw.parse())
        self.assertEqual("".join(c.choices[0].delta.content or "" for c in chunks), whole)
        self.assertTrue(all(chunk.usage is None for chunk in chunks))
        self.assertEqual(chunks[-1].choices[0].finish_reason, "stop")


if __name__ == "__main__":
    print(f"openai {openai.__version__} (Python) against {BASE_URL}", flush=True)
    unittest.main(verbosity=2)
