using System.Security.Cryptography;
using BackupDr.Contracts;
using BackupDr.Engine.Format;

namespace BackupDr.Engine.Crypto;

/// <summary>What a password derivation costs.</summary>
/// <param name="N">A power of two above 1.</param>
/// <param name="R">Block size.</param>
/// <param name="P">Parallelism.</param>
public readonly record struct KdfCost(int N, int R, int P)
{
    /// <summary>For generated passwords of 128 bits or more: 32 MiB.</summary>
    public static KdfCost Standard { get; } = new(32768, 8, 1);
    /// <summary>For passwords that a person typed: 128 MiB.</summary>
    public static KdfCost Strong { get; } = new(131072, 8, 1);
}

/// <summary>Makes key files and opens them.</summary>
/// <remarks>Source: docs/format/restic-v2.md, F-4.</remarks>
public static class PasswordKey
{
    /// <summary>A key file that lets <paramref name="password"/> open <paramref name="master"/>.</summary>
    public static KeyFile Make(MasterKey master, Secret password, KdfCost cost, string userName, string hostName, UnixTime now)
    {
        var salt = RandomNumberGenerator.GetBytes(64);
        using var box = new SealedBox(Derive(password, salt, cost.N, cost.R, cost.P));
        return new KeyFile
        {
            Created = now,
            UserName = userName,
            HostName = hostName,
            N = cost.N,
            R = cost.R,
            P = cost.P,
            Salt = salt,
            Sealed = box.Seal(master.Write(), out _),
        };
    }

    /// <summary>The master key, or null where the password is not this file's.</summary>
    public static MasterKey? TryOpen(KeyFile file, Secret password, string where)
    {
        using var box = new SealedBox(Derive(password, file.Salt, file.N, file.R, file.P));
        return box.TryOpen([.. file.Sealed], out var json) ? MasterKey.Read(json, where) : null;
    }

    static MasterKey Derive(Secret password, byte[] salt, int n, int r, int p)
    {
        var derived = Scrypt.Derive(password.Bytes, salt, n, r, p, 64);
        try { return MasterKey.FromDerived(derived); }
        finally { CryptographicOperations.ZeroMemory(derived); }
    }
}
