using System.Security.Cryptography;
using System.Text.Json;
using BackupDr.Engine.Format;

namespace BackupDr.Engine.Crypto;

/// <summary>The three keys that seal everything in a repository. Bytes are kept as read: <c>r</c> may be stored clamped or not.</summary>
/// <remarks>Source: docs/format/restic-v2.md, F-3.3 and F-4.2.</remarks>
public sealed class MasterKey
{
    /// <summary>Takes 32 bytes for encryption, 16 for the tag's cipher, 16 for the polynomial.</summary>
    public MasterKey(ReadOnlySpan<byte> encrypt, ReadOnlySpan<byte> macK, ReadOnlySpan<byte> macR)
    {
        if (encrypt.Length != 32 || macK.Length != 16 || macR.Length != 16)
            throw new ArgumentException("A master key is 32, 16 and 16 bytes.", nameof(encrypt));
        (Encrypt, MacK, MacR) = (encrypt.ToArray(), macK.ToArray(), macR.ToArray());
    }

    internal byte[] Encrypt { get; }
    internal byte[] MacK { get; }
    internal byte[] MacR { get; }

    /// <summary>A fresh random one.</summary>
    public static MasterKey Random()
        => new(RandomNumberGenerator.GetBytes(32), RandomNumberGenerator.GetBytes(16), RandomNumberGenerator.GetBytes(16));

    /// <summary>The key that a password's 64 derived bytes make.</summary>
    public static MasterKey FromDerived(ReadOnlySpan<byte> derived) => new(derived[..32], derived[32..48], derived[48..64]);

    /// <summary>The JSON that a key file holds sealed.</summary>
    public byte[] Write()
        => new GoJson().Open('{').Name("mac"u8).Open('{').Name("k"u8).Base64Text(MacK).Name("r"u8).Base64Text(MacR).Close('}')
        .Name("encrypt"u8).Base64Text(Encrypt).Close('}').Written.ToArray();

    /// <summary>Reads that JSON.</summary>
    /// <exception cref="RepositoryException">Damaged.</exception>
    public static MasterKey Read(ReadOnlySpan<byte> json, string where)
    {
        var input = new JsonInput(json, where);
        byte[] encrypt = [], k = [], r = [];
        input.Next();
        input.Expect(JsonTokenType.StartObject);
        while (input.NextMember(out var member))
        {
            if (member.SequenceEqual("encrypt"u8)) encrypt = input.Base64();
            else if (member.SequenceEqual("mac"u8))
            {
                input.Expect(JsonTokenType.StartObject);
                while (input.NextMember(out var inner))
                {
                    if (inner.SequenceEqual("k"u8)) k = input.Base64();
                    else if (inner.SequenceEqual("r"u8)) r = input.Base64();
                    else input.Skip();
                }
            }
            else input.Skip();
        }
        return encrypt.Length == 32 && k.Length == 16 && r.Length == 16 ? new MasterKey(encrypt, k, r)
            : throw input.Bad("a master key of the wrong size");
    }
}
