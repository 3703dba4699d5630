"""Servers that one runs oneself: at home at a loopback address, and asking for a key only where they were told to."""

from fastgw.providers.making import compatible

EMBEDS = "completions embeddings"

LOCAL = (
    compatible("ollama", "Ollama", "http://127.0.0.1:11434/v1", "https://docs.ollama.com/openai", auth="none", native="ollama",
               also=f"{EMBEDS} responses messages", generation=("chat",), chat="max_tokens system_role echo_reasoning",
               unsupported="parallel_tool_calls tool_choice logit_bias n user"),
    compatible("vllm", "vLLM", "http://127.0.0.1:8000/v1", "https://docs.vllm.ai/en/latest/serving/", auth="none",
               also=f"{EMBEDS} responses messages rerank transcriptions translations", aliases="hosted-vllm",
               chat="echo_reasoning top_k video_url audio_url",
               generation=("chat",)),
    compatible("sglang", "SGLang", "http://127.0.0.1:30000/v1", "https://docs.sglang.ai/basic_usage/openai_api.html", auth="none",
               also=f"{EMBEDS} responses rerank", generation=("chat",)),
    compatible("lm-studio", "LM Studio", "http://127.0.0.1:1234/v1", "https://lmstudio.ai/docs/developer", auth="none", aliases="lmstudio",
               also=f"{EMBEDS} responses messages", generation=("chat",)),
    compatible("llamacpp", "llama.cpp server", "http://127.0.0.1:8080/v1", "https://github.com/ggml-org/llama.cpp/tree/master/tools/server",
               auth="none", also=f"{EMBEDS} responses messages rerank", aliases="llama-cpp llamafile", generation=("chat",)),
    compatible("tgi", "Text Generation Inference", "http://127.0.0.1:3000/v1", "https://huggingface.co/docs/text-generation-inference",
               auth="none", also="completions", aliases="text-generation-inference"),
    compatible("tei", "Text Embeddings Inference", "http://127.0.0.1:8080/v1", "https://huggingface.co/docs/text-embeddings-inference",
               auth="none", operations="embeddings", aliases="text-embeddings-inference"),
    compatible("infinity", "Infinity", "http://127.0.0.1:7997", "https://michaelfeil.eu/infinity", auth="none", prefix="",
               operations="embeddings rerank models"),
    compatible("xinference", "Xinference", "http://127.0.0.1:9997/v1", "https://inference.readthedocs.io", auth="none",
               also=f"{EMBEDS} rerank images speech transcriptions"),
    compatible("localai", "LocalAI", "http://127.0.0.1:8080/v1", "https://localai.io", auth="none",
               also=f"{EMBEDS} rerank images speech transcriptions"),
    compatible("triton", "NVIDIA Triton (OpenAI frontend)", "http://127.0.0.1:9000/v1",
               "https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/client_guide/openai_readme.html", auth="none",
               also=EMBEDS),
    compatible("docker-model-runner", "Docker Model Runner", "http://127.0.0.1:12434/engines/v1", "https://docs.docker.com/ai/model-runner",
               auth="none", also=EMBEDS),
    compatible("privatemode-ai", "Privatemode", "http://127.0.0.1:8080/v1", "https://docs.privatemode.ai/api", auth="none",
               also="embeddings transcriptions", aliases="privatemode"),
    compatible("atomic-chat", "Atomic Chat", "http://127.0.0.1:1337/v1", "https://atomic.chat", auth="none"),
)  # fmt: skip
