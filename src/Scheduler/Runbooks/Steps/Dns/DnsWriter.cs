using System.Buffers.Binary;

namespace BackupDr.Scheduler.Runbooks.Steps.Dns;

/// <summary>Writes messages, without compression of names.</summary>
sealed class DnsWriter
{
    readonly List<byte> _bytes = new(512);

    /// <summary>The bytes of a message.</summary>
    public static byte[] Write(DnsMessage message)
    {
        var writer = new DnsWriter();
        writer.Number(message.Id);
        writer.Number(message.Flags);
        writer.Number((ushort)message.Questions.Count);
        writer.Number((ushort)message.Answers.Count);
        writer.Number((ushort)message.Authorities.Count);
        writer.Number((ushort)message.Additionals.Count);
        foreach (var question in message.Questions)
        {
            writer.Bytes(question.Name.Wire);
            writer.Number((ushort)question.Type);
            writer.Number((ushort)question.Class);
        }
        foreach (var record in message.Answers.Concat(message.Authorities).Concat(message.Additionals)) writer.Record(record);
        return writer.ToArray();
    }

    public void Record(DnsRecord record)
    {
        Bytes(record.Name.Wire);
        Number((ushort)record.Type);
        Number((ushort)record.Class);
        Number(record.Ttl);
        Number((ushort)record.Data.Length);
        Bytes(record.Data);
    }

    public void Number(ushort number)
    {
        Span<byte> two = stackalloc byte[2];
        BinaryPrimitives.WriteUInt16BigEndian(two, number);
        Bytes(two);
    }

    public void Number(uint number)
    {
        Span<byte> four = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(four, number);
        Bytes(four);
    }

    /// <summary>A moment of a signature: seconds since 1970 in 48 bits.</summary>
    public void Moment(long seconds)
    {
        Number((ushort)(seconds >> 32));
        Number((uint)(seconds & uint.MaxValue));
    }

    public void Bytes(ReadOnlySpan<byte> bytes) => _bytes.AddRange(bytes);

    public byte[] ToArray() => [.. _bytes];
}
