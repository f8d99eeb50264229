"""The plan: the actions to come, by control step, joined from the chunks as they arrive."""

from __future__ import annotations

from .messages import Chunk
from .packing import Array


class Plan:
    """The actions to come. Of two chunks the one that answers the later observation is in force.

    Actions are for whole control steps. Those for steps that have begun when a chunk arrives are skipped: they would come too
    late. After the T actions that a chunk means to be carried out come those that it predicts `beyond`, for when the next chunk
    is late. After these there is nothing: the robot holds.
    """

    def __init__(self) -> None:
        #: The chunk in force; None before the first one.
        self.chunk: Chunk | None = None
        self._first = 0

    def at(self, step: int) -> Array | None:
        """The action for a control step, [D]; None: hold."""
        return None if self.chunk is None or step < self._first else self.chunk.at(step)

    @property
    def meant_end(self) -> int:
        """The control step after the last that the chunk in force means to be carried out."""
        return 0 if self.chunk is None else self.chunk.first_step + len(self.chunk.action)

    @property
    def end(self) -> int:
        """The control step after the last one with an action."""
        return 0 if self.chunk is None else self.meant_end + len(self.chunk.beyond)

    def left(self, step: int) -> int:
        """How many actions there are from a control step on, those beyond included."""
        return max(self.end - max(step, self._first), 0)

    def join(self, chunk: Chunk, step: int) -> bool:
        """Goes over to a chunk from `step` on, the first control step that has not begun. Returns whether it did.

        A chunk is passed over if one that answers the same or a later observation is in force, or if it has no action for
        `step`.
        """
        if self.chunk is not None and chunk.step <= self.chunk.step:
            return False
        if chunk.at(step) is None:
            return False
        self.chunk, self._first = chunk, step
        return True
