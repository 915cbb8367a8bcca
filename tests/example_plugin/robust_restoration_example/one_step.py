"""An attack: one step of gradient ascent."""

import torch

from robust_restoration import Attack


class OneStep(Attack):
    """Moves each image by ``eps`` along the gradient of its squared error.

    Args:
        model: A denoiser, called with the images alone.
        eps: The L2 length of a perturbation, as a multiple of the range times sqrt(pixels).
    """

    norm = 2.0
    random = False

    def __init__(self, model, *, eps=5 / 255):
        super().__init__("OneStep", model)
        self.eps = eps

    def radius(self, inputs):
        """The largest L2 length of each image's perturbation, (N,)."""
        return super().radius(inputs) * inputs[0].numel() ** 0.5

    def forward(self, inputs, clean):
        """Attack ``inputs``, (N, C, H, W), whose clean images are known."""
        leaf = inputs.clone().requires_grad_()
        error = (self.model(leaf) - clean).square().sum()
        (gradient,) = torch.autograd.grad(error, leaf)
        length = gradient.flatten(1).norm(dim=1).clamp(min=1e-12)
        return inputs + (self.radius(inputs) / length).view(-1, 1, 1, 1) * gradient
