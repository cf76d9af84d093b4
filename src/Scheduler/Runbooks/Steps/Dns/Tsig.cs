using System.Buffers.Binary;
using System.Security.Cryptography;

namespace BackupDr.Scheduler.Runbooks.Steps.Dns;

/// <summary>The key that signs, as the server knows it.</summary>
/// <param name="Name">What it is called there.</param>
/// <param name="Secret">Its bytes.</param>
sealed record TsigKey(DnsName Name, byte[] Secret);

/// <summary>The data of a signature.</summary>
/// <param name="Algorithm">How it is made.</param>
/// <param name="SignedAt">When, in seconds since 1970.</param>
/// <param name="Fudge">How many seconds the clocks may differ.</param>
/// <param name="Mac">The signature; empty where the server could not sign.</param>
/// <param name="OriginalId">The id that was signed.</param>
/// <param name="Error">What the server minds of ours.</param>
/// <param name="Other">With BADTIME: its own clock.</param>
sealed record TsigFields(DnsName Algorithm, long SignedAt, ushort Fudge, byte[] Mac, ushort OriginalId, DnsCode Error, byte[] Other);

/// <summary>Signatures of messages (RFC 8945) with HMAC-SHA256, the one algorithm that every server has to know.</summary>
static class Tsig
{
    /// <summary>How many seconds the clocks may differ: what the RFC recommends.</summary>
    public const ushort Fudge = 300;

    static readonly DnsName Algorithm = DnsName.Parse("hmac-sha256");

    /// <summary>Signs a message that is asked.</summary>
    /// <returns>The bytes to send, and the signature, which that of the answer covers.</returns>
    public static (byte[] Bytes, byte[] Mac) Sign(DnsMessage message, TsigKey key, DateTimeOffset now)
    {
        var data = new TsigFields(Algorithm, now.ToUnixTimeSeconds(), Fudge, [], message.Id, DnsCode.NoError, []);
        var mac = Mac(key, [], DnsWriter.Write(message), data);
        var record = new DnsRecord(key.Name, DnsType.Tsig, DnsClass.Any, 0, Write(data with { Mac = mac }));
        return (DnsWriter.Write(message with { Additionals = [.. message.Additionals, record] }), mac);
    }

    /// <summary>Looks at the signature of an answer.</summary>
    /// <param name="bytes">The answer.</param>
    /// <param name="answer">The same, read.</param>
    /// <param name="key">The key that signed what was asked.</param>
    /// <param name="asked">The signature of what was asked.</param>
    /// <param name="now">The node's clock.</param>
    /// <returns>What is wrong, in words; null for an answer that is the server's. <see cref="DnsCode.NoError"/> where the server minded
    /// nothing.</returns>
    public static (DnsCode Error, string? Problem) Verify(byte[] bytes, DnsMessage answer, TsigKey key, byte[] asked, DateTimeOffset now)
    {
        if (answer.SignedUntil is not { } end) return (DnsCode.NoError, "The answer is not signed.");
        var record = answer.Additionals[^1];
        TsigFields data;
        try { data = DnsReader.ReadTsig(record.Data); }
        catch (FormatException e) { return (DnsCode.NoError, $"The signature of the answer cannot be read: {e.Message}"); }
        // A server that does not know the key, or holds another one, cannot sign (RFC 8945 §5.3.2).
        if (data.Error is DnsCode.BadKey or DnsCode.BadSig && data.Mac.Length == 0)
        {
            return (data.Error, data.Error == DnsCode.BadKey ? $"The server knows no key '{key.Name}' (BADKEY)."
                : $"The server holds another key under the name '{key.Name}' (BADSIG).");
        }
        if (!record.Name.Equals(key.Name) || !data.Algorithm.Equals(Algorithm) || record is not { Class: DnsClass.Any, Ttl: 0 })
            return (DnsCode.NoError, "The answer is signed otherwise.");
        var unsigned = bytes[..end];
        BinaryPrimitives.WriteUInt16BigEndian(unsigned, data.OriginalId);
        BinaryPrimitives.WriteUInt16BigEndian(unsigned.AsSpan(10), (ushort)(answer.Additionals.Count - 1));
        if (!CryptographicOperations.FixedTimeEquals(Mac(key, asked, unsigned, data), data.Mac))
            return (DnsCode.NoError, "The signature of the answer is wrong: somebody else answered, or changed it.");
        if (data.Error == DnsCode.BadTime) return (data.Error, Clocks(data, now));
        if (data.Error != DnsCode.NoError) return (data.Error, $"The server does not take the signature ({(int)data.Error}).");
        return Math.Abs(now.ToUnixTimeSeconds() - data.SignedAt) > data.Fudge
            ? (DnsCode.NoError, "The answer was signed at another time: it is an old one.") : (DnsCode.NoError, null);
    }

    static string Clocks(TsigFields data, DateTimeOffset now)
    {
        if (data.Other.Length != 6) return "The clocks of server and node differ too much (BADTIME).";
        var theirs = (long)BinaryPrimitives.ReadUInt16BigEndian(data.Other) << 32
            | BinaryPrimitives.ReadUInt32BigEndian(data.Other.AsSpan(2));
        var apart = theirs - now.ToUnixTimeSeconds();
        return $"The server's clock is {Math.Abs(apart)} seconds {(apart > 0 ? "ahead of" : "behind")} this node's, and {Fudge} are "
            + "allowed (BADTIME). Set the clocks.";
    }

    /// <summary>RFC 8945 §4.3: the former signature, the message, and what is signed of the signature itself.</summary>
    static byte[] Mac(TsigKey key, byte[] asked, byte[] message, TsigFields data)
    {
        var writer = new DnsWriter();
        if (asked.Length > 0)
        {
            writer.Number((ushort)asked.Length);
            writer.Bytes(asked);
        }
        writer.Bytes(message);
        writer.Bytes(key.Name.Canonical());
        writer.Number((ushort)DnsClass.Any);
        writer.Number(0u);
        writer.Bytes(data.Algorithm.Canonical());
        writer.Moment(data.SignedAt);
        writer.Number(data.Fudge);
        writer.Number((ushort)data.Error);
        writer.Number((ushort)data.Other.Length);
        writer.Bytes(data.Other);
        return HMACSHA256.HashData(key.Secret, writer.ToArray());
    }

    static byte[] Write(TsigFields data)
    {
        var writer = new DnsWriter();
        writer.Bytes(data.Algorithm.Wire);
        writer.Moment(data.SignedAt);
        writer.Number(data.Fudge);
        writer.Number((ushort)data.Mac.Length);
        writer.Bytes(data.Mac);
        writer.Number(data.OriginalId);
        writer.Number((ushort)data.Error);
        writer.Number((ushort)data.Other.Length);
        writer.Bytes(data.Other);
        return writer.ToArray();
    }
}
