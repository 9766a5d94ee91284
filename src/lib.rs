//! A virtual machine monitor on KVM.
