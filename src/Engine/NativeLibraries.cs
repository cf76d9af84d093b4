using System.Reflection;
using System.Runtime.InteropServices;
using BackupDr.Contracts;

namespace BackupDr.Engine;

/// <summary>The system libraries that the engine stands on: libzstd and OpenSSL's libcrypto.</summary>
public static class NativeLibraries
{
    static int _registered;

    /// <summary>Fails at start-up, naming the package, where a library is missing.</summary>
    /// <exception cref="UnavailableException">One cannot be loaded.</exception>
    public static void Check()
    {
        if (!Compression.Zstd.IsPresent)
            throw new UnavailableException("library.missing", "The library libzstd.so.1 cannot be loaded.",
                "Install it, on Debian with: apt-get install libzstd1");
        if (!Crypto.LibCrypto.IsPresent)
            throw new UnavailableException("library.missing", "The library libcrypto.so.3 cannot be loaded.",
                "Install it, on Debian with: apt-get install libssl3");
    }

    internal static IntPtr Load(params ReadOnlySpan<string> names)
    {
        foreach (var name in names)
            if (NativeLibrary.TryLoad(name, out var handle)) return handle;
        return IntPtr.Zero;
    }

    internal static void Register()
    {
        if (Interlocked.Exchange(ref _registered, 1) == 1) return;
        NativeLibrary.SetDllImportResolver(typeof(NativeLibraries).Assembly, Resolve);
    }

    static IntPtr Resolve(string name, Assembly assembly, DllImportSearchPath? path) => name switch
    {
        "libcrypto" => Crypto.LibCrypto.Resolve(),
        "libzstd" => Compression.Zstd.Resolve(),
        _ => IntPtr.Zero,
    };
}
