using System.Runtime.ExceptionServices;
using BackupDr.Contracts;

namespace BackupDr.Storage.Posix;

/// <summary>The network of another process, where it has one of its own.</summary>
public static class NetworkNamespace
{
    const int OfNetwork = 0x40000000;   // CLONE_NEWNET

    /// <summary>Makes something there: a socket belongs for its whole life to the network of the thread that made it.</summary>
    /// <param name="process">The process whose network is meant.</param>
    /// <param name="make">Makes it; runs on a thread of its own, which ends then.</param>
    /// <exception cref="PosixException">The kernel refused: that needs root, or the process is gone.</exception>
    public static T Inside<T>(int process, Func<T> make)
    {
        T? made = default;
        ExceptionDispatchInfo? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                var path = FilePath.FromText($"/proc/{process}/ns/net");
                using var network = Descriptor.Open(path, OpenFlags.ReadOnly);
                if (Libc.setns(network, OfNetwork) != 0) throw PosixException.FromLast("setns", path.Bytes);
                made = make();
            }
            catch (Exception e) { failure = ExceptionDispatchInfo.Capture(e); }   // thrown again to whom it is of use
        })
        { IsBackground = true };
        thread.Start();
        thread.Join();
        failure?.Throw();
        return made!;
    }
}
