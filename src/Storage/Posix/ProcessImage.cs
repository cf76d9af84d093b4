using BackupDr.Contracts;

namespace BackupDr.Storage.Posix;

/// <summary>This process as the kernel sees it.</summary>
public static class ProcessImage
{
    /// <summary>Replaces this process by another program: same process id, same terminal, same environment.</summary>
    /// <remarks>Returns only by failing.</remarks>
    /// <param name="program">Absolute path.</param>
    /// <param name="arguments">Without the program's name.</param>
    /// <exception cref="PosixException">The kernel refused.</exception>
    public static PosixException Replace(string program, IReadOnlyList<string> arguments)
    {
        _ = Libc.execv(program, [program, .. arguments, null]);   // on success nothing comes back
        throw PosixException.FromLast("exec", FilePath.FromText(program).Bytes);
    }
}
