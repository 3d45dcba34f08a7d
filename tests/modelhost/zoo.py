"""Models of many kinds, small and with weights by chance, as sentence-transformers and transformers write them."""

from collections.abc import Callable
from pathlib import Path

import torch
import transformers
from sentence_transformers import CrossEncoder, SentenceTransformer
from sentence_transformers.models import Dense, LayerNorm, Normalize, Pooling, Transformer
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

SIZES = {
    "hidden_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 96,
    "initializer_range": 0.5,  # by chance, but far enough from zero that a wrong step shows
}
TEXTS = [
    "How do I shrink a table?",
    "x",
    "VACUUM FULL rewrites the whole table and returns the space to the operating system. " * 2,
    "Ünïcödé und 漢字",
    "an index is chosen by the planner, not by the one who asks",
]


def tokenizer(folder: Path, special: str = "<s> $A </s>", pair: str = "<s> $A </s> </s> $B </s>", **options) -> int:
    """Write a tokenizer of bytes and their commonest pairs, pad id 1; returns the size of its vocabulary."""
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    words = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=600, special_tokens=words, initial_alphabet=alphabet, show_progress=False)
    raw.train_from_iterator(TEXTS * 2, trainer)
    ids = [(word, raw.token_to_id(word)) for word in ("<s>", "</s>")]
    raw.post_processor = processors.TemplateProcessing(special, pair, ids)
    names = {"pad_token": "<pad>", "eos_token": "</s>", "bos_token": "<s>", "unk_token": "<unk>"}
    limits = {"model_max_length": 100, "model_input_names": ["input_ids", "attention_mask"], **options}
    transformers.PreTrainedTokenizerFast(tokenizer_object=raw, **names, **limits).save_pretrained(folder)
    return raw.get_vocab_size()


def save(folder: Path, kind: str, architecture: str, **values) -> Path:
    """Write a model of transformers with a vocabulary that fits the tokenizer in the folder."""
    torch.manual_seed(11)
    config = getattr(transformers, f"{kind}Config")(**values)
    model = getattr(transformers, architecture)(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" not in name.lower() and parameter.dim() > 1:
                parameter.normal_(0, 0.3)
    model.save_pretrained(folder)
    return folder


def bert(folder: Path, model_folder: Path, **values) -> Path:
    """A BERT with the default model's tokenizer, of transformers alone."""
    transformers.AutoTokenizer.from_pretrained(model_folder).save_pretrained(folder)
    sizes = {**SIZES, "vocab_size": 30522, "max_position_embeddings": 64}
    return save(folder, "Bert", values.pop("architecture", "BertModel"), **sizes, **values)


def layered(folder: Path, model_folder: Path) -> Path:
    """A Sentence Transformers model with every module that can stand behind the pooling, and prompts."""
    inner = Transformer(str(bert(folder / "inner", model_folder)), max_seq_length=48)
    torch.manual_seed(12)
    norm = LayerNorm(40)
    torch.nn.init.normal_(norm.norm.weight)
    torch.nn.init.normal_(norm.norm.bias)
    modules = [
        inner,
        Pooling(48, pooling_mode=("cls", "mean")),
        Dense(96, 40, activation_function=torch.nn.GELU()),
        norm,
        Normalize(),
        Dense(40, 24, bias=False, activation_function=torch.nn.Identity()),
        Dense(24, 24, use_residual=True),
        Normalize(),
    ]
    prompts = {"query": "question: ", "document": "passage: "}
    SentenceTransformer(modules=modules, prompts=prompts).save_pretrained(str(folder / "model"))
    return folder / "model"


def roberta(folder: Path, _: Path) -> Path:
    """Positions that begin behind the padding's."""
    size = tokenizer(folder)
    return save(folder, "Roberta", "RobertaModel", **SIZES, vocab_size=size, max_position_embeddings=66, pad_token_id=1)


def t5(folder: Path, _: Path) -> Path:
    """An encoder with a decoder beside it, and relative positions."""
    size = tokenizer(folder, "$A </s>", "$A </s> $B </s>")
    values = {"d_model": 48, "d_kv": 12, "d_ff": 96, "num_layers": 2, "num_heads": 4, "vocab_size": size}
    return save(folder, "T5", "T5Model", **values, pad_token_id=1, decoder_start_token_id=1)


def modernbert(folder: Path, _: Path) -> Path:
    """Rotary positions and local attention."""
    size = tokenizer(folder)
    ids = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2, "cls_token_id": 0, "sep_token_id": 2}
    return save(folder, "ModernBert", "ModernBertModel", **SIZES, **ids, vocab_size=size, local_attention=16)


def qwen(folder: Path, _: Path) -> Path:
    """A decoder whose last token stands for the text."""
    size = tokenizer(folder / "inner", "$A </s>", "$A $B </s>", padding_side="left")
    values = {**SIZES, "num_key_value_heads": 2, "head_dim": 12, "max_position_embeddings": 128, "vocab_size": size}
    save(folder / "inner", "Qwen3", "Qwen3Model", **values, pad_token_id=1)
    modules = [Transformer(str(folder / "inner")), Pooling(48, pooling_mode="lasttoken"), Normalize()]
    SentenceTransformer(modules=modules).save_pretrained(str(folder / "model"))
    return folder / "model"


def reranker(folder: Path, model_folder: Path) -> Path:
    """A BERT that scores pairs, which it tells apart by segments."""
    values = {"architecture": "BertForSequenceClassification", "num_labels": 1}
    return bert(folder, model_folder, **values)


def roberta_reranker(folder: Path, _: Path) -> Path:
    """A RoBERTa that scores pairs, saved by CrossEncoder with its logits as they are."""
    size = tokenizer(folder / "inner")
    values = {**SIZES, "vocab_size": size, "max_position_embeddings": 66, "pad_token_id": 1, "num_labels": 1}
    save(folder / "inner", "XLMRoberta", "XLMRobertaForSequenceClassification", **values)
    model = CrossEncoder(str(folder / "inner"), activation_fn=torch.nn.Identity(), max_length=64)
    model.save_pretrained(str(folder / "model"))
    return folder / "model"


EMBEDDERS: dict[str, Callable[[Path, Path], Path]] = {
    "bert": bert,
    "layered": layered,
    "roberta": roberta,
    "t5": t5,
    "modernbert": modernbert,
    "qwen": qwen,
}
RERANKERS: dict[str, Callable[[Path, Path], Path]] = {"reranker": reranker, "roberta_reranker": roberta_reranker}
