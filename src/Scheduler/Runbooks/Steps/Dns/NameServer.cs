using System.Buffers.Binary;
using System.Security.Cryptography;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Alerts.Channels;

namespace BackupDr.Scheduler.Runbooks.Steps.Dns;

/// <summary>A name server did not do what it was asked, or said nothing.</summary>
sealed class NameServerException(string message, DnsCode? code = null, bool mayBeDone = false) : Exception(message)
{
    /// <summary>What it answered; null for no answer.</summary>
    public DnsCode? Code => code;

    /// <summary>Whether it may have done it all the same.</summary>
    public bool MayBeDone => mayBeDone;
}

/// <summary>One zone's primary server: asked and changed over TCP, each message signed, each answer's signature looked at.</summary>
/// <remarks>TCP, because an answer over UDP may be cut, or be somebody else's before the signature is looked at.</remarks>
sealed class NameServer(DnsTarget target, byte[] secret, TimeProvider clock, TimeSpan? limit = null)
{
    static readonly TimeSpan Usual = TimeSpan.FromSeconds(10);
    readonly TimeSpan _limit = limit < Usual ? limit.Value : Usual;
    readonly TsigKey _key = new(DnsName.Parse(target.Key), secret);

    /// <summary>What a record says now.</summary>
    /// <exception cref="NameServerException">The server does not tell, or is not the one that decides.</exception>
    public async Task<RecordValues> Look(DnsRecordKind kind, CancellationToken ct)
    {
        var (name, type) = (DnsName.Parse(target.Record), RecordValues.TypeOf(kind));
        var answer = await Ask(new DnsMessage { Id = NewId(), Flags = 0, Questions = [new(name, type, DnsClass.In)] }, ct);
        if (answer.Code is not (DnsCode.NoError or DnsCode.NxDomain)) throw Refused(answer.Code, $"asked for {target.Record}");
        if ((answer.Flags & DnsMessage.IsAuthoritative) == 0)
            throw new NameServerException($"{target.Server} is no authority for {target.Record}: name the zone's primary server.");
        if ((answer.Flags & DnsMessage.IsTruncated) != 0) throw new NameServerException($"The answer of {target.Server} was cut.");
        var own = answer.Answers.Where(record => record.Name.Equals(name) && record.Class == DnsClass.In).ToList();
        if (type != DnsType.Cname && own.Find(record => record.Type == DnsType.Cname) is { } alias)
        {
            throw new NameServerException($"{target.Record} is another name of {DnsName.OfWire(alias.Data)} (CNAME), and the step is about "
                + $"{KindProblems.Words(kind)}: change the type, or the record.");
        }
        own.RemoveAll(record => record.Type != type);
        return new RecordValues([.. own.Select(record => record.Data)], own.Count == 0 ? 0 : own.Min(record => record.Ttl));
    }

    /// <summary>Whether the server decides over the zone and takes the key.</summary>
    /// <exception cref="NameServerException">It does not.</exception>
    public async Task Reach(CancellationToken ct)
    {
        var answer = await Ask(new DnsMessage
        {
            Id = NewId(),
            Flags = 0,
            Questions = [new(DnsName.Parse(target.Zone), DnsType.Soa, DnsClass.In)],
        }, ct);
        if (answer.Code != DnsCode.NoError) throw Refused(answer.Code, $"asked for the zone {target.Zone}");
        if ((answer.Flags & DnsMessage.IsAuthoritative) == 0 || !answer.Answers.Any(record => record.Type == DnsType.Soa))
            throw new NameServerException($"{target.Server} is no authority for the zone {target.Zone}: name its primary server.");
    }

    /// <summary>Makes a record say something else, if it still says what it said: both in one message, which the server carries out whole
    /// or not at all.</summary>
    /// <exception cref="NameServerException">It was not done; or, as the exception says, nobody knows. NXRRSET and YXRRSET: it says
    /// something else by now.</exception>
    public async Task Exchange(DnsRecordKind kind, RecordValues from, RecordValues to, CancellationToken ct)
    {
        var (name, type) = (DnsName.Parse(target.Record), RecordValues.TypeOf(kind));
        var answer = await Ask(new DnsMessage
        {
            Id = NewId(),
            Flags = DnsMessage.Update,
            Questions = [new(DnsName.Parse(target.Zone), DnsType.Soa, DnsClass.In)],
            // RFC 2136 §2.4: exactly these values, or none of this type.
            Answers = from.Data.Count == 0 ? [new(name, type, DnsClass.None, 0, [])]
                : [.. from.Data.Select(data => new DnsRecord(name, type, DnsClass.In, 0, data))],
            Authorities = [new(name, type, DnsClass.Any, 0, []),
                .. to.Data.Select(data => new DnsRecord(name, type, DnsClass.In, to.Ttl, data))],
        }, ct);
        if (answer.Code != DnsCode.NoError) throw Refused(answer.Code, $"told to change {target.Record}");
    }

    NameServerException Refused(DnsCode code, string doing) => new(code switch
    {
        DnsCode.Refused => $"{target.Server}, {doing}, refuses it (REFUSED): let it take updates of the zone {target.Zone} signed with the "
            + $"key '{target.Key}'.",
        DnsCode.NotAuth => $"{target.Server}, {doing}, is no authority for the zone {target.Zone} (NOTAUTH).",
        DnsCode.NotZone => $"{target.Record} is not in the zone {target.Zone} there (NOTZONE).",
        DnsCode.NxRrset or DnsCode.YxRrset => $"{target.Record} says something else than when it was looked at ({Word(code)}).",
        _ => $"{target.Server}, {doing}, answers {Word(code)}.",
    }, code);

    static string Word(DnsCode code) => Enum.IsDefined(code) ? code.ToString().ToUpperInvariant() : $"code {(int)code}";

    async Task<DnsMessage> Ask(DnsMessage asked, CancellationToken ct)
    {
        var (bytes, mac) = Tsig.Sign(asked, _key, clock.GetUtcNow());
        var isChange = asked.Flags == DnsMessage.Update;
        var raw = await Pass(bytes, isChange, ct);
        DnsMessage answer;
        try { answer = DnsReader.Read(raw); }
        catch (FormatException e)
        {
            throw new NameServerException($"What {target.Server} says cannot be read. {e.Message}", mayBeDone: isChange);
        }
        if (!answer.Replies(asked)) throw new NameServerException($"{target.Server} answers something else.", mayBeDone: isChange);
        var (error, problem) = Tsig.Verify(raw, answer, _key, mac, clock.GetUtcNow());
        // A refusal without a signature changed nothing; believing it costs no more than another try.
        if (problem is not null && (error != DnsCode.NoError || answer.Code == DnsCode.NoError || answer.SignedUntil is not null))
        {
            throw new NameServerException($"{target.Server}: {problem}", answer.Code,
                mayBeDone: isChange && answer.Code == DnsCode.NoError);
        }
        return answer;
    }

    /// <summary>One message there and one back; RFC 1035 §4.2.2: each after its length.</summary>
    async Task<byte[]> Pass(byte[] message, bool isChange, CancellationToken ct)
    {
        var (host, port) = KindProblems.Endpoint(target.Server, 53) ?? throw new NameServerException($"'{target.Server}' is no server.");
        var wasSent = false;
        using var late = CancellationTokenSource.CreateLinkedTokenSource(ct);
        try
        {
            await using var stream = await Egress.Connect(host, port, ct);
            late.CancelAfter(_limit);
            var framed = new byte[message.Length + 2];
            BinaryPrimitives.WriteUInt16BigEndian(framed, (ushort)message.Length);
            message.CopyTo(framed, 2);
            wasSent = true;
            await stream.WriteAsync(framed, late.Token);
            var length = new byte[2];
            await stream.ReadExactlyAsync(length, late.Token);
            var answer = new byte[BinaryPrimitives.ReadUInt16BigEndian(length)];
            await stream.ReadExactlyAsync(answer, late.Token);
            return answer;
        }
        catch (IOException e)
        {
            throw new NameServerException(wasSent ? $"{target.Server} broke off before it answered: {e.Message}" : e.Message,
                mayBeDone: wasSent && isChange);
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            throw new NameServerException($"{target.Server} did not answer within {_limit.TotalSeconds:0.#} seconds.",
                mayBeDone: wasSent && isChange);
        }
    }

    static ushort NewId() => (ushort)RandomNumberGenerator.GetInt32(ushort.MaxValue + 1);
}
