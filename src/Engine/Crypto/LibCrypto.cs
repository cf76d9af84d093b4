using System.Runtime.InteropServices;

namespace BackupDr.Engine.Crypto;

/// <summary>The few functions of OpenSSL's libcrypto that the format needs.</summary>
static partial class LibCrypto
{
    const string Library = "libcrypto";

    static readonly Lazy<IntPtr> Handle = new(() => NativeLibraries.Load("libcrypto.so.3", "libcrypto.so.1.1"));

    static LibCrypto() => NativeLibraries.Register();

    /// <summary>Whether the library can be loaded on this machine.</summary>
    public static bool IsPresent => Handle.Value != IntPtr.Zero;

    internal static IntPtr Resolve() => Handle.Value;

    [LibraryImport(Library)] internal static partial IntPtr EVP_CIPHER_CTX_new();
    [LibraryImport(Library)] internal static partial void EVP_CIPHER_CTX_free(IntPtr context);
    [LibraryImport(Library)] internal static partial IntPtr EVP_aes_256_ctr();
    [LibraryImport(Library)] internal static partial IntPtr EVP_aes_128_ecb();
    [LibraryImport(Library)]
    internal static unsafe partial int EVP_EncryptInit_ex(IntPtr context, IntPtr cipher, IntPtr engine, byte* key,
        byte* iv);
    [LibraryImport(Library)]
    internal static unsafe partial int EVP_EncryptUpdate(IntPtr context, byte* output, out int written,
        byte* input, int length);
    [LibraryImport(Library)] internal static partial int EVP_CIPHER_CTX_set_padding(IntPtr context, int padding);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial IntPtr EVP_MAC_fetch(IntPtr context,
        string name, string? properties);
    [LibraryImport(Library)] internal static partial IntPtr EVP_MAC_CTX_new(IntPtr mac);
    [LibraryImport(Library)] internal static partial void EVP_MAC_CTX_free(IntPtr context);
    [LibraryImport(Library)] internal static unsafe partial int EVP_MAC_init(IntPtr context, byte* key, nuint length, IntPtr parameters);
    [LibraryImport(Library)] internal static unsafe partial int EVP_MAC_update(IntPtr context, byte* data, nuint length);
    [LibraryImport(Library)] internal static unsafe partial int EVP_MAC_final(IntPtr context, byte* tag, out nuint written, nuint size);
    [LibraryImport(Library)]
    internal static unsafe partial int EVP_PBE_scrypt(byte* password, nuint passwordLength, byte* salt, nuint saltLength,
        ulong n, ulong r, ulong p, ulong maximumMemory, byte* key, nuint keyLength);
}
