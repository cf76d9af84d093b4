using System.Buffers.Binary;

namespace BackupDr.Scheduler.Runbooks.Steps.Dns;

/// <summary>Reads messages. Bounded by the message's length: names point backwards only, and nothing may be left over.</summary>
/// <remarks>RFC 1035 §4.1; RFC 3597 §4: only names in the data of the old types are compressed.</remarks>
sealed class DnsReader
{
    // One record of a name as short as can be: 11 bytes. More than fit are not made room for.
    const int LeastRecord = 11, LeastQuestion = 5, Header = 12;

    readonly byte[] _bytes;
    int _at;

    DnsReader(byte[] bytes) => _bytes = bytes;

    /// <summary>Reads one.</summary>
    /// <exception cref="FormatException">It is none; the message says where.</exception>
    public static DnsMessage Read(byte[] bytes)
    {
        var reader = new DnsReader(bytes);
        if (bytes.Length < Header) throw reader.Wrong("is shorter than a header");
        var (id, flags) = (reader.Number(), reader.Number());
        var counts = new[] { reader.Number(), reader.Number(), reader.Number(), reader.Number() };
        if (counts[0] * LeastQuestion + (counts[1] + counts[2] + counts[3]) * LeastRecord > bytes.Length - Header)
            throw reader.Wrong("says that it holds more than its length");
        var questions = new List<DnsQuestion>();
        for (var left = counts[0]; left > 0; left--)
            questions.Add(new DnsQuestion(reader.Name(), (DnsType)reader.Number(), (DnsClass)reader.Number()));
        int? signed = null;
        var answers = reader.Records(counts[1], ref signed);
        var authorities = reader.Records(counts[2], ref signed);
        if (signed is not null) throw reader.Wrong("is signed in its middle");
        var additionals = reader.Records(counts[3], ref signed);
        if (reader._at != bytes.Length) throw reader.Wrong("has something behind its end");
        return new DnsMessage
        {
            Id = id,
            Flags = flags,
            Questions = questions,
            Answers = answers,
            Authorities = authorities,
            Additionals = additionals,
            SignedUntil = signed,
        };
    }

    List<DnsRecord> Records(int count, ref int? signed)
    {
        var records = new List<DnsRecord>();
        for (; count > 0; count--)
        {
            // RFC 8945 §5.2: the signature is the last record of all.
            if (signed is not null) throw Wrong("has something behind its signature");
            var begin = _at;
            var name = Name();
            var (type, @class) = ((DnsType)Number(), (DnsClass)Number());
            var (ttl, length) = (Number32(), Number());
            var end = _at + length;
            if (end > _bytes.Length) throw Wrong("ends in the middle of a record");
            if (type == DnsType.Tsig) signed = begin;
            records.Add(new DnsRecord(name, type, @class, ttl, Data(type, end)));
        }
        return records;
    }

    byte[] Data(DnsType type, int end)
    {
        if (type == DnsType.Cname && _at < end)
        {
            var name = Name();
            return _at == end ? name.Wire.ToArray() : throw Wrong("has a name that does not fill its record");
        }
        var data = _bytes[_at..end];
        _at = end;
        return data;
    }

    /// <summary>A name, uncompressed.</summary>
    DnsName Name()
    {
        var wire = new List<byte>();
        var (at, before, back) = (_at, _at, -1);
        while (true)
        {
            if (at >= _bytes.Length) throw Wrong("ends in the middle of a name");
            var length = _bytes[at];
            if ((length & 0xc0) == 0xc0)
            {
                if (at + 1 >= _bytes.Length) throw Wrong("ends in the middle of a name");
                var to = (length & 0x3f) << 8 | _bytes[at + 1];
                if (back < 0) back = at + 2;
                // Backwards each time, so that it comes to an end.
                if (to >= before) throw Wrong("has a name that points forwards");
                at = before = to;
                continue;
            }
            if (length > DnsName.LongestLabel) throw Wrong("has a label of a kind that nobody uses");
            if (at + 1 + length > _bytes.Length) throw Wrong("ends in the middle of a name");
            wire.AddRange(_bytes.AsSpan(at, length + 1));
            if (wire.Count > DnsName.Longest) throw Wrong("has a name that is too long");
            at += length + 1;
            if (length == 0) break;
        }
        _at = back < 0 ? at : back;
        return DnsName.OfWire([.. wire]);
    }

    ushort Number()
    {
        if (_at + 2 > _bytes.Length) throw Wrong("ends in the middle of a number");
        return BinaryPrimitives.ReadUInt16BigEndian(_bytes.AsSpan((_at += 2) - 2));
    }

    uint Number32()
    {
        if (_at + 4 > _bytes.Length) throw Wrong("ends in the middle of a number");
        return BinaryPrimitives.ReadUInt32BigEndian(_bytes.AsSpan((_at += 4) - 4));
    }

    /// <summary>Reads the data of a signature.</summary>
    /// <exception cref="FormatException">It is none.</exception>
    public static TsigFields ReadTsig(byte[] data)
    {
        var reader = new DnsReader(data);
        var algorithm = reader.Name();
        var signedAt = (long)reader.Number() << 32 | reader.Number32();
        var (fudge, length) = (reader.Number(), reader.Number());
        if (reader._at + length > data.Length) throw reader.Wrong("ends in the middle of a signature");
        var mac = data[reader._at..(reader._at + length)];
        reader._at += length;
        var (originalId, error, otherLength) = (reader.Number(), (DnsCode)reader.Number(), reader.Number());
        if (reader._at + otherLength != data.Length) throw reader.Wrong("has a signature of another length than it says");
        return new TsigFields(algorithm, signedAt, fudge, mac, originalId, error, data[reader._at..]);
    }

    FormatException Wrong(string what) => new($"The message {what} (at byte {_at} of {_bytes.Length}).");
}
