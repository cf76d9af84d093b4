using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using BackupDr.Contracts;

namespace BackupDr.Storage.Posix;

/// <summary>What is known of a process that may have ended.</summary>
public enum ProcessFate
{
    /// <summary>Nothing that could be proved: another kernel, another namespace, or no right to look.</summary>
    Unknown,
    /// <summary>It lives.</summary>
    Alive,
    /// <summary>It has ended, and nothing that it started can act in its name.</summary>
    Dead,
    /// <summary>The machine it ran on was started anew since, as far as the machine's own name for itself goes: a clone has it
    /// too.</summary>
    OfEarlierBoot,
}

/// <summary>Where and when a process was born: with its number, the name of one process among all of all machines and times.</summary>
/// <param name="Machine">The machine's id, hashed: 32 hex characters; empty where it has none. Clones of a machine share it.</param>
/// <param name="Boot">Random name of the running kernel, new at each start.</param>
/// <param name="PidNamespace">Inode of the namespace that the number counts in.</param>
/// <param name="TimeNamespace">Inode of the namespace whose clock the start was read by; 0 where the kernel has none.</param>
/// <param name="StartTicks">When it started: clock ticks since the kernel's start.</param>
/// <remarks>Source: docs/format/restic-v2.md, F-9.5; why that is proof: docs/decisions/0011-locks-of-the-dead.md.</remarks>
public readonly record struct ProcessBirth(string Machine, string Boot, ulong PidNamespace, ulong TimeNamespace, ulong StartTicks)
{
    const int StateField = 0, StartField = 19;   // of /proc/PID/stat, counted behind the program's name
    const int MaximumStatBytes = 4096;

    /// <summary>This process; null where the kernel does not tell all of it, or /proc is another namespace's.</summary>
    public static ProcessBirth? Self { get; } = OfSelf();

    /// <summary>What became of a process.</summary>
    /// <param name="pid">Its number, above 0.</param>
    public ProcessFate FateOf(int pid) => Self is { } self ? FateOf(pid, self) : ProcessFate.Unknown;

    internal ProcessFate FateOf(int pid, ProcessBirth self)
    {
        if (pid <= 0 || Boot.Length == 0) return ProcessFate.Unknown;
        if (Boot != self.Boot)
            return Machine.Length > 0 && Machine == self.Machine ? ProcessFate.OfEarlierBoot : ProcessFate.Unknown;
        if (PidNamespace != self.PidNamespace || TimeNamespace != self.TimeNamespace) return ProcessFate.Unknown;
        // Not by looking into /proc: that may hide the processes of others.
        if (Libc.kill(pid, 0) != 0 && PosixException.Last == Errno.ESRCH) return ProcessFate.Dead;
        if (Stat(pid) is not { } stat) return ProcessFate.Unknown;
        if (stat.Start != StartTicks) return ProcessFate.Dead;   // the number was given to another one
        // Ended, and nobody has asked for its exit code yet. A main thread may end before the others: then the process goes on.
        return stat.IsEnded && Threads(pid) == 1 ? ProcessFate.Dead : ProcessFate.Alive;
    }

    static ProcessBirth? OfSelf()
    {
        try
        {
            using var proc = Descriptor.OpenFolder(FilePath.FromText("/proc"));
            var pid = Environment.ProcessId;
            // Of another namespace where a container was given its host's /proc: the numbers in it are not ours.
            if (proc.ReadLink("self"u8).ToString() != pid.ToString(CultureInfo.InvariantCulture)) return null;
            var boot = Text("/proc/sys/kernel/random/boot_id");
            if (boot is not { Length: > 0 } || Stat(pid) is not { } stat) return null;
            var isTimed = proc.TryStatAt("self/ns/time"u8, follow: true, out var time) == Errno.None;
            return new ProcessBirth(HashedMachine(), boot, proc.StatAt("self/ns/pid"u8, follow: true).Inode, isTimed ? time.Inode : 0,
                stat.Start);
        }
        catch (PosixException) { return null; }   // no /proc: then nothing is written and nothing proved
    }

    // The id itself is not to leave the machine (machine-id(5)); the hash says as well whether two are the same.
    static string HashedMachine()
        => Text("/etc/machine-id") is { Length: >= 32 } id
            ? Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes("backupdr " + id)))[..32] : "";

    static (bool IsEnded, ulong Start)? Stat(int pid)
    {
        if (Text($"/proc/{pid.ToString(CultureInfo.InvariantCulture)}/stat") is not { } text) return null;
        // A program's name may hold blanks and parentheses, so count from its end.
        var fields = text[(text.LastIndexOf(')') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return fields.Length > StartField && ulong.TryParse(fields[StartField], CultureInfo.InvariantCulture, out var start)
            ? (fields[StateField] is "Z" or "X", start) : null;
    }

    static int Threads(int pid)
    {
        try
        {
            using var tasks = Descriptor.OpenFolder(FilePath.FromText($"/proc/{pid.ToString(CultureInfo.InvariantCulture)}/task"));
            return (int)tasks.Stat().Links - 2;   // of a folder: itself, its name, and one for each folder in it
        }
        catch (PosixException) { return 0; }
    }

    static string? Text(string path)
    {
        try
        {
            using var file = Descriptor.Open(FilePath.FromText(path), OpenFlags.ReadOnly);
            var bytes = new byte[MaximumStatBytes];
            return Encoding.UTF8.GetString(bytes.AsSpan(0, file.FillAt(0, bytes))).Trim();
        }
        catch (PosixException) { return null; }
    }
}
