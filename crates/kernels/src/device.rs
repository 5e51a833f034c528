//! Where tensors live: the name a user gives, and the Burn device behind it.

use std::fmt;
use std::str::FromStr;

use burn::tensor::{Device, DeviceKind};

/// A device by name: `cpu`, `flex`, `ndarray`, `wgpu[:N]`, `cuda[:N]` or `auto`.
///
/// `cpu` is the faster of the two CPU backends, `flex`. `auto` is the first of these that the machine has: a CUDA card (where
/// the program was built for it), a discrete GPU through wgpu, the CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceName {
    /// The first of a CUDA card, a discrete GPU and the CPU that there is.
    Auto,
    /// The faster CPU backend.
    #[default]
    Cpu,
    /// Burn's `flex` backend, on the CPU.
    Flex,
    /// Burn's `ndarray` backend, on the CPU.
    NdArray,
    /// A GPU through Vulkan, Metal, DirectX or a browser's WebGPU: the best, or the N-th discrete one.
    Wgpu(Option<usize>),
    /// The N-th NVIDIA card.
    Cuda(usize),
}

/// Why a device cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// No such device name.
    #[error("unknown device `{0}`: expected auto, cpu, flex, ndarray, wgpu, wgpu:N, cuda or cuda:N")]
    Unknown(String),
    /// The graphics driver offers no adapter.
    #[error(
        "device `{name}`: no usable graphics adapter ({reason}). Install a Vulkan driver for your GPU; on Debian and Ubuntu \
         `apt-get install mesa-vulkan-drivers` brings them, and a software adapter for machines without a GPU. Or use `--device cpu`"
    )]
    NoAdapter {
        /// What was asked for.
        name: DeviceName,
        /// What the graphics layer said.
        reason: String,
    },
    /// The program was built without the feature.
    #[error(
        "device `{0}`: this program was built without CUDA; build it with `--features cuda`, or use `--device wgpu` or `--device cpu`"
    )]
    NotBuilt(DeviceName),
    /// There is no such card.
    #[error("device `{name}`: there are {found} CUDA cards here; use `--device auto` or `--device cpu`")]
    NoCard {
        /// What was asked for.
        name: DeviceName,
        /// The number of cards found.
        found: usize,
    },
}

impl DeviceName {
    /// Opens the device.
    ///
    /// # Errors
    ///
    /// If the machine has no such device, or the program was built without it.
    pub fn open(self) -> Result<Device, DeviceError> {
        match self {
            Self::Cpu | Self::Flex => Ok(Device::flex()),
            Self::NdArray => Ok(ndarray()),
            Self::Wgpu(None) => self.wgpu(DeviceKind::DefaultDevice),
            Self::Wgpu(Some(n)) => self.wgpu(DeviceKind::DiscreteGpu(n)),
            Self::Cuda(n) => cuda(self, n),
            Self::Auto => Self::Cuda(0).open().or_else(|_| Self::Wgpu(Some(0)).open()).or_else(|_| Self::Cpu.open()),
        }
    }

    fn wgpu(self, kind: DeviceKind) -> Result<Device, DeviceError> {
        Device::wgpu_options()
            .device_kind(kind)
            .init()
            .map_err(|error| DeviceError::NoAdapter { name: self, reason: error.to_string() })
    }
}

#[allow(deprecated, reason = "Burn prefers flex, which is our default too; ndarray stays selectable")]
fn ndarray() -> Device {
    Device::ndarray()
}

#[cfg(feature = "cuda")]
fn cuda(name: DeviceName, index: usize) -> Result<Device, DeviceError> {
    // Without a driver the runtime panics where it is first asked for its cards.
    let cards = std::panic::catch_unwind(|| Device::enumerate(burn::tensor::DeviceType::Cuda).into_vec());
    let found = cards.map_or(0, |cards| cards.len());
    if index < found { Ok(Device::cuda(index)) } else { Err(DeviceError::NoCard { name, found }) }
}

#[cfg(not(feature = "cuda"))]
fn cuda(name: DeviceName, _index: usize) -> Result<Device, DeviceError> {
    Err(DeviceError::NotBuilt(name))
}

impl FromStr for DeviceName {
    type Err = DeviceError;

    fn from_str(text: &str) -> Result<Self, DeviceError> {
        let unknown = || DeviceError::Unknown(text.into());
        let (name, index) = match text.split_once(':') {
            Some((name, index)) => (name, Some(index.parse::<usize>().map_err(|_| unknown())?)),
            None => (text, None),
        };
        match (name, index) {
            ("auto", None) => Ok(Self::Auto),
            ("cpu", None) => Ok(Self::Cpu),
            ("flex", None) => Ok(Self::Flex),
            ("ndarray", None) => Ok(Self::NdArray),
            ("wgpu", index) => Ok(Self::Wgpu(index)),
            ("cuda", index) => Ok(Self::Cuda(index.unwrap_or(0))),
            _ => Err(unknown()),
        }
    }
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Flex => f.write_str("flex"),
            Self::NdArray => f.write_str("ndarray"),
            Self::Wgpu(None) => f.write_str("wgpu"),
            Self::Wgpu(Some(n)) => write!(f, "wgpu:{n}"),
            Self::Cuda(n) => write!(f, "cuda:{n}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for name in ["auto", "cpu", "flex", "ndarray", "wgpu", "wgpu:1", "cuda:0"] {
            assert_eq!(name.parse::<DeviceName>().unwrap().to_string(), name);
        }
        assert_eq!("cuda".parse::<DeviceName>().unwrap(), DeviceName::Cuda(0));
        for name in ["", "gpu", "cpu:0", "wgpu:x", "cuda:-1"] {
            assert!(name.parse::<DeviceName>().is_err(), "{name}");
        }
    }
}
