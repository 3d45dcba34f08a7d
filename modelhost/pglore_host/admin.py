"""The operator's operations on models: arguments checked, then the registrar's work."""

from . import errors
from .arguments import flag, text
from .errors import HostError
from .registrar import Registrar


async def add_model(registrar: Registrar, arguments: dict) -> dict:
    """The row of a model that was added; raises HostError LO103, LO201, LO204, LO206, LO301."""
    given = arguments.get("options")
    if given is None:
        given = {}
    if not isinstance(given, dict):
        raise HostError(errors.BAD_ARGUMENT, "options must be an object")
    alias, task, source = (text(arguments, name, limit=5000) for name in ("alias", "task", "source"))
    return await registrar.add(alias, task, source, given, replacing=flag(arguments, "replace"))


async def drop_model(registrar: Registrar, arguments: dict) -> dict:
    """Whether a model was there to be dropped; raises HostError LO103, LO201."""
    missing_ok = flag(arguments, "if_exists")
    return {"dropped": await registrar.drop(text(arguments, "alias", limit=5000), missing_ok=missing_ok)}


async def set_default(registrar: Registrar, arguments: dict) -> dict:
    """The task whose default has changed; raises HostError LO201."""
    return {"task": await registrar.set_default(text(arguments, "alias", limit=5000))}


async def load_model(registrar: Registrar, arguments: dict) -> dict:
    """The row of a model that is loaded; raises HostError LO201, LO204, LO206, LO301, LO303."""
    return await registrar.load(text(arguments, "alias", limit=5000))


async def unload_model(registrar: Registrar, arguments: dict) -> dict:
    """Whether a model was loaded before; raises HostError LO201, LO302."""
    return {"unloaded": await registrar.unload(text(arguments, "alias", limit=5000))}


async def model_sources(registrar: Registrar, arguments: dict) -> list[dict]:
    """Where each model comes from."""
    return registrar.sources()
