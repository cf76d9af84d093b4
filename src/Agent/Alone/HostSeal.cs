using System.Security.Cryptography;

namespace BackupDr.Agent.Alone;

/// <summary>Seals what is kept on this host's disk and holds secrets of others: AES-256-GCM under a key that comes from this host's private
/// key and from the number that its firmware has, where it has one.</summary>
/// <remarks>Protects a copy of the sealed file without the key file, and a copy of the whole disk as long as whoever has it does not know
/// the firmware's number. It protects nothing from whoever is root here.</remarks>
static class HostSeal
{
    const int NonceBytes = 12, TagBytes = 16, KeyBytes = 32;
    const string FirmwareNumber = "/sys/class/dmi/id/product_uuid";   // root's alone, and on no disk

    static ReadOnlySpan<byte> Purpose => "backupdr-agent alone 1"u8;

    /// <summary>Seals.</summary>
    public static byte[] Seal(AgentState state, ReadOnlySpan<byte> plain)
    {
        var made = new byte[NonceBytes + TagBytes + plain.Length];
        RandomNumberGenerator.Fill(made.AsSpan(0, NonceBytes));
        var key = Key(state);
        using var cipher = new AesGcm(key, TagBytes);
        cipher.Encrypt(made.AsSpan(0, NonceBytes), plain, made.AsSpan(NonceBytes + TagBytes), made.AsSpan(NonceBytes, TagBytes), Purpose);
        CryptographicOperations.ZeroMemory(key);
        return made;
    }

    /// <summary>Opens.</summary>
    /// <exception cref="CryptographicException">It was altered, or sealed under another key or on another machine.</exception>
    public static byte[] Open(AgentState state, ReadOnlySpan<byte> made)
    {
        if (made.Length < NonceBytes + TagBytes) throw new CryptographicException("It is too short.");
        var plain = new byte[made.Length - NonceBytes - TagBytes];
        var key = Key(state);
        using var cipher = new AesGcm(key, TagBytes);
        cipher.Decrypt(made[..NonceBytes], made[(NonceBytes + TagBytes)..], made.Slice(NonceBytes, TagBytes), plain, Purpose);
        CryptographicOperations.ZeroMemory(key);
        return plain;
    }

    static byte[] Key(AgentState state)
    {
        using var own = ECDsa.Create();
        own.ImportFromPem(File.ReadAllText(state.KeyFile));
        var secret = own.ExportParameters(includePrivateParameters: true).D!;
        var key = HKDF.DeriveKey(HashAlgorithmName.SHA256, secret, KeyBytes, Firmware(), Purpose.ToArray());
        CryptographicOperations.ZeroMemory(secret);
        return key;
    }

    static byte[] Firmware()
    {
        try { return File.Exists(FirmwareNumber) ? SHA256.HashData(File.ReadAllBytes(FirmwareNumber)) : []; }
        // A container, or an agent that is not root: the host's own key alone.
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { return []; }
    }
}
