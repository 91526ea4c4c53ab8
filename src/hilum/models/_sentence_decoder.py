"""From the mean of an image to the topics of its sentences and their stop signals (Liu et al. 2019, section 3.1)."""

from __future__ import annotations

from hilum.models._neural import torch


class SentenceDecoder(torch.nn.Module):
    """h_i, m_i = LSTM(v; h_{i-1}, m_{i-1}); topic_i = ReLU(W h_i + b), stop_i = sigmoid(w h_i + b).

    v is the mean of the map and the same for all sentences, so topics do not depend on words: all sentences of a report
    can be written at once.
    """

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.lstm = torch.nn.LSTM(width, hidden, batch_first=True)
        self.topic = torch.nn.Linear(hidden, width)
        self.stop = torch.nn.Linear(hidden, 1)

    def forward(self, mean_BD: torch.Tensor, sentences: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Topics [B, S, D] and logits of the stop [B, S] of so many sentences.

        Stop i above one half says that no sentence comes after sentence i.
        """
        seen_BSD = mean_BD[:, None].expand(-1, sentences, -1).contiguous()
        state_BSH, _ = self.lstm(seen_BSD)
        return torch.relu(self.topic(state_BSH)), self.stop(state_BSH).squeeze(-1).float()
