"""The small shapes: embeddings, ranks, pictures, speech, transcriptions and moderations, between a caller's and a provider's.

One file a shape; those of a family meet in the types of the family's file. `table.open_shape` opens a translation.

| family | callers ask for, in the shape of | providers are asked for, in the shape of |
|---|---|---|
| `embedding` | embeddings `openai_embeddings` | embeddings `openai_embeddings` |
| | embed `gemini_embed` | embed `gemini_embed` |
| | cohere_embed `cohere_embed` | cohere_embed `cohere_embed` |
| | | voyage_embed, jina_embed, nomic_embed, titan_embed, vertex_embed: files of these names |
| `rerank` | rerank `rerank` | cohere_rerank, jina_rerank, voyage_rerank: files of these names |
| `image` | images `image` | generate `gemini_image`, vertex_image `vertex_image`, stability_image `stability_image` |
| `speech` | speech `speech` | generate `gemini_speech`, elevenlabs_speech, deepgram_speech: files of these names |
| `transcription` | transcriptions `transcription` | generate `gemini_transcription`, elevenlabs_transcription, deepgram_transcription |
| | translations `transcription` | generate `gemini_transcription` |
| (its own) | moderations `mistral_moderations` | mistral_moderations `mistral_moderations` |

What a shape must hold to: nothing that answers is left out (a picture among texts, an input of many, the time of a word): such a request
is refused, by any policy. What only shades the answer is noted and left out, by the target's policy. What a provider itself knows by the
caller's name (Voyage's `truncation` in a request to Voyage) goes to it.
"""
