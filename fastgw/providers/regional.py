"""Hosts of models in China and its neighbours that take OpenAI's chat requests: a line or two each."""

from fastgw.providers.making import compatible, paths

ANTHROPIC = paths(messages="^/anthropic/v1/messages")
# They know no role "developer", and often no content in parts where it is only text.
PLAIN = "max_tokens system_role"
QWEN = f"{PLAIN} enable_thinking top_k video_url"
THINKS = f"{PLAIN} thinking_type echo_reasoning_content"

REGIONAL = (
    compatible("dashscope", "Alibaba Model Studio (international)", "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
               "https://www.alibabacloud.com/help/en/model-studio/compatibility-of-openai-with-dashscope", generation=("chat",),
               also="completions embeddings responses messages files batches", aliases="alibaba qwen", chat=QWEN,
               paths=paths(messages="^/apps/anthropic/v1/messages")),
    compatible("dashscope-cn", "Alibaba Model Studio (China)", "https://dashscope.aliyuncs.com/compatible-mode/v1",
               "https://help.aliyun.com/zh/model-studio/compatibility-of-openai-with-dashscope", generation=("chat",),
               also="completions embeddings responses messages files batches", aliases="alibaba-cn", chat=QWEN,
               paths=paths(messages="^/apps/anthropic/v1/messages")),
    compatible("moonshot", "Moonshot AI (Kimi)", "https://api.moonshot.ai/v1", "https://platform.moonshot.ai/docs", chat=THINKS,
               also="messages files batches", aliases="moonshotai kimi", catalog="moonshotai", generation=("chat",), paths=ANTHROPIC),
    compatible("moonshot-cn", "Moonshot AI (China)", "https://api.moonshot.cn/v1", "https://platform.moonshot.cn/docs", chat=THINKS,
               also="messages files batches", aliases="moonshotai-cn", catalog="moonshotai", generation=("chat",), paths=ANTHROPIC),
    compatible("minimax", "MiniMax", "https://api.minimax.io/v1", "https://platform.minimax.io/docs", also="responses messages", chat=PLAIN,
               catalog="minimax", generation=("chat",), paths=ANTHROPIC),
    compatible("minimax-cn", "MiniMax (China)", "https://api.minimaxi.com/v1", "https://platform.minimaxi.com/docs", also="messages",
               chat=PLAIN, catalog="minimax", generation=("chat",), paths=ANTHROPIC),
    compatible("z-ai", "Z.ai", "https://api.z.ai/api/paas/v4", "https://docs.z.ai/api-reference", aliases="zai", catalog="zai",
               also="images messages", chat=f"{THINKS} no_json_schema", generation=("chat",),
               paths=paths(messages="^/api/anthropic/v1/messages")),
    compatible("zhipu", "Zhipu (BigModel)", "https://open.bigmodel.cn/api/paas/v4", "https://docs.bigmodel.cn/api-reference",
               also="embeddings images messages", aliases="zhipuai bigmodel", catalog="zhipuai", chat=f"{THINKS} no_json_schema",
               generation=("chat",), paths=paths(messages="^/api/anthropic/v1/messages")),
    compatible("xiaomi", "Xiaomi MiMo", "https://api.xiaomimimo.com/v1", "https://platform.xiaomimimo.com", also="messages",
               chat="thinking_type echo_reasoning_content", aliases="xiaomi-mimo", generation=("chat",), paths=ANTHROPIC),
    compatible("byteplus", "BytePlus ModelArk", "https://ark.ap-southeast.bytepluses.com/api/v3", "https://docs.byteplus.com/en/docs/ModelArk",
               also="embeddings images responses", chat=THINKS, generation=("chat",)),
    compatible("volcengine", "Volcengine Ark", "https://ark.cn-beijing.volces.com/api/v3", "https://www.volcengine.com/docs/82379",
               also="embeddings images responses", aliases="ark doubao", chat=THINKS, generation=("chat",)),
    compatible("stepfun", "StepFun", "https://api.stepfun.com/v1", "https://platform.stepfun.com/docs", chat=PLAIN,
               also="images speech transcriptions files"),
    compatible("qianfan", "Baidu Qianfan", "https://qianfan.baidubce.com/v2", "https://cloud.baidu.com/doc/qianfan-api", aliases="baidu",
               also="embeddings images rerank", chat=PLAIN),
    compatible("hunyuan", "Tencent Hunyuan", "https://api.hunyuan.cloud.tencent.com/v1", "https://cloud.tencent.com/document/product/1729",
               also="embeddings", aliases="tencent", chat=PLAIN),
    compatible("tencent-tokenhub", "Tencent TokenHub", "https://tokenhub.tencentmaas.com/v1",
               "https://cloud.tencent.com/document/product/1823/130050", chat=PLAIN),
    compatible("lingyi", "01.AI (Lingyi Wanwu)", "https://api.lingyiwanwu.com/v1", "https://platform.lingyiwanwu.com/docs", aliases="01-ai",
               chat=PLAIN),
    compatible("upstage", "Upstage", "https://api.upstage.ai/v1/solar", "https://console.upstage.ai/docs", also="embeddings"),
    compatible("modelscope", "ModelScope", "https://api-inference.modelscope.cn/v1", "https://modelscope.cn/docs", chat=PLAIN),
    compatible("moark", "Moark", "https://moark.com/v1", "https://moark.com/docs", chat=PLAIN),
    compatible("qiniu", "Qiniu", "https://api.qnaigc.com/v1", "https://developer.qiniu.com/aitokenapi", aliases="qiniu-ai", chat=PLAIN),
    compatible("qihang-ai", "QiHang AI", "https://api.qhaigc.net/v1", "https://www.qhaigc.net/docs", chat=PLAIN),
    compatible("iflow", "iFlow", "https://apis.iflow.cn/v1", "https://platform.iflow.cn/en/docs", aliases="iflowcn", chat=PLAIN),
    compatible("drun", "D.Run", "https://chat.d.run/v1", "https://www.d.run", chat=PLAIN),
)  # fmt: skip
