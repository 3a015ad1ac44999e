// The connection to the kernel, which only JupyterLab's widget manager knows.
import type { ItemToolCall } from "../generated/tool_calls";

/** The part of JupyterLab's kernel connection that is used here. */
export interface KernelConnection {
  readonly status: string;
  readonly statusChanged?: { connect(slot: () => void): void; disconnect(slot: () => void): void };
  interrupt(): Promise<void>;
}

/** The kernel of a widget's model, or null in other front ends. */
export function kernelOf(model: { widget_manager?: unknown }): KernelConnection | null {
  const manager = model.widget_manager as { kernel?: KernelConnection | null } | undefined;
  return manager?.kernel ?? null;
}

/** "autorestarting" as well. */
const LOST = /restarting|terminating|dead/;

/** Whether a kernel is in a state in which a reply that was streaming does not go on. */
export function isLost(kernel: KernelConnection | null): boolean {
  return LOST.test(kernel?.status ?? "");
}

/** Interrupt a kernel; the answer is false where there is none, or it cannot be. */
export async function interrupt(kernel: KernelConnection | null): Promise<boolean> {
  try {
    await kernel?.interrupt();
    return kernel !== null;
  } catch {
    return false;
  }
}

/** A call as it is once the kernel is gone. */
export function withoutKernel(call: ItemToolCall): ItemToolCall {
  if (call.state !== "asking" && call.state !== "running") return call;
  const result = call.state === "asking" ? "Not run: the kernel is gone." : "Broke off: the kernel is gone.";
  return { ...call, state: "failed", result };
}
