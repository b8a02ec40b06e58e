"""Every error of filing, drawn as one tree; what the records refuse stands beside it.

::

    FilingError
    ├── WrongWish         purpose, dataset, period or correction of a filing do not fit
    ├── ExpertList        the file is a list of experts: nothing of it was kept
    ├── NotReady          the filing cannot be handed in; ``missing`` says what it lacks
    ├── NotPermitted      this person may not decide on this filing; ``decision`` says why
    └── GoneDraft         the bytes of the filing are no longer kept

    of records.errors: UnknownFiling, QuotaReached, KeyUsed, IllegalState
"""

from __future__ import annotations

from portal.access.caller import Decision
from records.errors import TwoTongued


class FilingError(TwoTongued):
    """An error of filing."""

    code = "filing"


class WrongWish(FilingError):
    """Purpose, dataset, period or correction of a filing do not fit."""

    code = "wrong-wish"


class ExpertList(FilingError):
    """The file is a list of experts; nothing of it was kept."""

    code = "no-roster"

    def __init__(self) -> None:
        super().__init__(
            "这是专家名单，含个人信息，不能作为数据上传；文件已删除，未保存。请由专家管理员在“专家库”页面导入",
            "this is a list of experts and holds personal data: it was deleted, nothing was kept. An expert manager "
            "imports it on the page of the expert pool",
        )


class NotReady(FilingError):
    """A filing cannot be handed in yet, or ever.

    ``missing`` holds ``statement``, ``rest`` (agreement that the refused rows stay out) and codes of rules whose flags
    want a reason; it is empty where nothing can be added.
    """

    code = "not-ready"

    def __init__(self, message: str, message_en: str, missing: tuple[str, ...] = ()) -> None:
        super().__init__(message, message_en)
        self.missing = missing


class NotPermitted(FilingError):
    """Whoever asks may not decide on the filing."""

    code = "not-permitted"

    def __init__(self, decision: Decision) -> None:
        super().__init__(decision.reason_zh, decision.reason_en)
        self.decision = decision


class GoneDraft(FilingError):
    """The bytes of the filing are no longer kept."""

    code = "gone-draft"
