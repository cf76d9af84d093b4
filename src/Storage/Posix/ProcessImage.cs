using System.Runtime.InteropServices;
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
        var texts = new nint[arguments.Count + 2];   // the program's name comes first, and a null ends them
        try
        {
            texts[0] = Marshal.StringToCoTaskMemUTF8(program);
            for (var i = 0; i < arguments.Count; i++) texts[i + 1] = Marshal.StringToCoTaskMemUTF8(arguments[i]);
            _ = Libc.execv(texts[0], in texts[0]);   // on success nothing comes back
            return PosixException.FromLast("exec", FilePath.FromText(program).Bytes);
        }
        finally
        {
            foreach (var text in texts) Marshal.FreeCoTaskMem(text);
        }
    }
}
