"""How answers are drawn: three sliders, the rest unfolds; below, where the values come from."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import Signal
from PySide6.QtGui import QIntValidator
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from openshelf.chat.advice import Advice, AdviceSource
from openshelf.engine.asking import AnswerForm, Sampling
from openshelf.ui.models.stop_words import MARK, line_of, stops_in
from openshelf.ui.theme import TextRole
from openshelf.ui.widgets.buttons import LinkButton
from openshelf.ui.widgets.preset_menu import NameEdit, PresetMenu
from openshelf.ui.widgets.text import SectionLabel, TextLabel
from openshelf.ui.widgets.value_slider import ValueSlider

_MAX_TOKENS = (64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768)
_TOP_K = (0, 1, 5, 10, 20, 30, 40, 50, 64, 100, 200, 500)
_MIN_P = tuple(i / 100 for i in range(31))
_PENALTY = tuple(i / 100 for i in range(90, 151))
_MOST_SEED = 2_147_483_647


def _two(value: float) -> str:
    return f"{value:.2f}"


class SamplingPanel(QWidget):
    """`sampling` is what the next message is sent with. `changed` by hand, `publisher_requested`
    to look at the Hub, `schema_requested` to choose a file, `preset_named` carries a name."""

    changed = Signal()
    publisher_requested = Signal()
    schema_requested = Signal()
    preset_named = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._advice = Advice()
        self._on_server = False
        self._form = AnswerForm()
        self._is_setting = False
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(6)
        self._build_head()
        self._build_first()
        self._build_rest()
        self._build_source()
        self.set_sampling(Sampling())

    def _build_head(self) -> None:
        row = QHBoxLayout()
        self.presets = PresetMenu(self.tr("Presets ▾"), self.tr("Saved settings"))
        self.preset_name = NameEdit(self.tr("Name of these settings"))
        row.addWidget(SectionLabel(self.tr("Sampling")))
        row.addStretch(1)
        row.addWidget(self.presets)
        self._column.addLayout(row)
        self._column.addWidget(self.preset_name)
        self.presets.save_requested.connect(self.preset_name.ask)
        self.preset_name.named.connect(self.preset_named)

    def _build_first(self) -> None:
        steps = [i / 20 for i in range(41)]
        self.temperature = ValueSlider(self.tr("Temperature"), steps, 0.7, _two)
        self.top_p = ValueSlider(self.tr("Top-p"), steps[1:21], 0.95, _two)
        self.max_tokens = ValueSlider(
            self.tr("Max answer"), _MAX_TOKENS, 1024, lambda v: f"{v:,.0f}"
        )
        self.max_tokens.setToolTip(self.tr("Tokens of one answer"))
        for slider in (self.temperature, self.top_p, self.max_tokens):
            self._add(slider, self._column)

    def _add(self, slider: ValueSlider, column: QVBoxLayout) -> None:
        column.addWidget(slider)
        slider.value_changed.connect(self._on_changed)

    def _build_rest(self) -> None:
        self.more_button = LinkButton(muted=True, small=True)
        self.more_button.setCheckable(True)
        self.more_button.toggled.connect(self._show_more)
        self._more = QWidget()
        column = QVBoxLayout(self._more)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        self.top_k = ValueSlider(
            self.tr("Top-k"), _TOP_K, 40, lambda v: f"{v:.0f}" if v else self.tr("all")
        )
        self.min_p = ValueSlider(self.tr("Min-p"), _MIN_P, 0.05, _two)
        self.repeat_penalty = ValueSlider(self.tr("Repeat penalty"), _PENALTY, 1.0, _two)
        for slider in (self.top_k, self.min_p, self.repeat_penalty):
            self._add(slider, column)
        self.seed = self._line(self.tr("Seed"), self.tr("another one each time"), column)
        self.seed.setValidator(QIntValidator(0, _MOST_SEED, self))
        self.stop = self._line(
            self.tr("Stop at"), self.tr("words, parted by {mark}").format(mark=MARK), column
        )
        self.stop.setToolTip(self.tr(r"A new line is written \n, a bar \|"))
        row = QHBoxLayout()
        self.schema_words = TextLabel("", TextRole.SMALL)
        self.schema_button = LinkButton(muted=True, small=True)
        self.schema_button.clicked.connect(self._on_schema)
        row.addWidget(self.schema_words)
        row.addStretch(1)
        row.addWidget(self.schema_button)
        column.addLayout(row)
        self._column.addWidget(self._more)
        self._column.addWidget(self.more_button)
        self._show_more(opened=False)

    def _line(self, name: str, placeholder: str, column: QVBoxLayout) -> QLineEdit:
        row = QHBoxLayout()
        edit = QLineEdit()
        edit.setAccessibleName(name)
        edit.setPlaceholderText(placeholder)
        edit.setMaxLength(400)
        row.addWidget(TextLabel(name, TextRole.SMALL))
        row.addWidget(edit, 1)
        column.addLayout(row)
        edit.textEdited.connect(self._on_changed)
        return edit

    def _build_source(self) -> None:
        self.source = TextLabel("", TextRole.TINY, "muted", wrap=True)
        self.publisher_button = LinkButton(
            self.tr("Ask the publisher"),
            self.tr("Ask the Hub what the publisher recommends"), muted=True, small=True,
        )  # fmt: skip
        self.publisher_button.setToolTip(
            self.tr(
                "Asks the Hub what the publisher recommends: reads generation_config.json of the "
                "model's repository, once"
            )
        )
        self.reset_button = LinkButton(self.tr("Back to these"), muted=True, small=True)
        self.publisher_button.clicked.connect(self.publisher_requested)
        self.reset_button.clicked.connect(self._on_reset)
        for widget in (self.source, self.reset_button, self.publisher_button):
            self._column.addWidget(widget)

    # --- values -----------------------------------------------------------------------------------

    @property
    def sampling(self) -> Sampling:
        """Without thinking and tools, which are not set here."""
        return Sampling(
            temperature=self.temperature.value,
            top_p=self.top_p.value,
            top_k=int(self.top_k.value),
            min_p=self.min_p.value,
            repeat_penalty=self.repeat_penalty.value,
            max_tokens=int(self.max_tokens.value),
            seed=int(self.seed.text()) if self.seed.text().isdecimal() else None,
            stop=stops_in(self.stop.text()),
            form=self._form,
        )

    def set_sampling(self, sampling: Sampling) -> None:
        """Exactly these values, also where they lie between two steps of a slider."""
        self._is_setting = True
        self.temperature.set_value(sampling.temperature)
        self.top_p.set_value(sampling.top_p)
        self.top_k.set_value(sampling.top_k)
        self.min_p.set_value(sampling.min_p)
        self.repeat_penalty.set_value(sampling.repeat_penalty)
        self.max_tokens.set_value(sampling.max_tokens)
        self.seed.setText("" if sampling.seed is None else str(sampling.seed))
        self.stop.setText(line_of(sampling.stop))
        self._form = AnswerForm(json_schema=sampling.form.json_schema)
        self._is_setting = False
        self._show_schema()
        self._show_source()

    def set_schema(self, text: str) -> None:
        self._form = AnswerForm(json_schema=text)
        self._show_schema()
        self._on_changed()

    @property
    def is_recommended(self) -> bool:
        """Nothing was changed by hand."""
        return self.sampling == replace(self._advice.sampling, form=AnswerForm())

    def show_advice(self, advice: Advice, *, on_server: bool = False) -> None:
        """The model's; its values are taken over where nothing was changed by hand. Of a model on
        a server nobody here knows the publisher."""
        follows = self.is_recommended
        self._advice = advice
        self._on_server = on_server
        if follows:
            self.set_sampling(advice.sampling)
        self._show_source()

    # --- showing ----------------------------------------------------------------------------------

    def _show_more(self, opened: bool) -> None:  # noqa: FBT001 (a slot)
        self._more.setVisible(opened)
        self.more_button.setText(self.tr("▾ Fewer settings") if opened else self.tr("▸ More"))
        self.more_button.setAccessibleName(
            self.tr("Fewer settings") if opened else self.tr("More settings")
        )

    def _show_schema(self) -> None:
        is_set = bool(self._form.json_schema)
        self.schema_words.setText(self.tr("JSON schema"))
        self.schema_button.setText(self.tr("set · remove") if is_set else self.tr("Choose file…"))
        self.schema_button.setAccessibleName(
            self.tr("Remove the JSON schema") if is_set else self.tr("Choose a JSON schema")
        )

    def _show_source(self) -> None:
        advice, recommended = self._advice, self.is_recommended
        match advice.source:
            case AdviceSource.NONE if self._on_server:
                words = self.tr("Openshelf's own settings: of a server's model nothing is known.")
            case AdviceSource.NONE:
                words = self.tr("Openshelf's own settings: the model's file names none.")
            case AdviceSource.FILE:
                words = self.tr("Set by the publisher's recommendation, in the model's file.")
            case AdviceSource.HUB:
                words = self.tr("Set by the publisher's recommendation ({repo}).")
                words = words.format(repo=advice.repo)
        self.source.setText(words if recommended else self.tr("Changed by you."))
        self.source.setToolTip("" if recommended else words)
        self.reset_button.setVisible(not recommended)
        self.reset_button.setText(
            self.tr("Back to Openshelf's own")
            if advice.source is AdviceSource.NONE
            else self.tr("Back to the recommended")
        )
        can_ask = advice.source is AdviceSource.NONE and not self._on_server
        self.publisher_button.setVisible(can_ask)

    def _on_changed(self) -> None:
        if not self._is_setting:
            self._show_source()
            self.changed.emit()

    def go_back(self) -> None:
        """To what is recommended."""
        self.set_sampling(self._advice.sampling)

    def _on_reset(self) -> None:
        self.go_back()
        self.changed.emit()

    def _on_schema(self) -> None:
        if self._form.json_schema:
            self.set_schema("")
        else:
            self.schema_requested.emit()
