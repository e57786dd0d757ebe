package amd64

// The tables of the VEX and EVEX encodings: Intel's Software Developer's Manual,
// volume 2. Most of them touch vector and mask registers only (W); named here
// with operands are those that touch general registers or flags.

const vexTable1 = `
10-17 W
28-29 W
2A W
2A.F3 Ey
2A.F2 Ey
2B W
2C-2D W
2C-2D.F3 Gy= W
2C-2D.F2 Gy= W
2E-2F W f
41-42 W
44-47 W
4A-4B W
50 Gy= W
51-6F W
6E Ey
70-73 W Ib
74-76 W
77 nop
7C-7D W
7E Ey=
7E.F3 W
7F W
90-91 W
92 Ey
93 Gy= W
98-99 W f
AE/2m W
AE/3m W
C2 W Ib
C4 Ey Ib
C5 Gy= W Ib
C6 W Ib
D0-FE W
D7 Gy= W
F7 rdi.y W mem
`

const vexTable2 = `
00-0D W
0E-0F W f
13 W
16 W
17 W f
18-1A W
1C-1E W
20-25 W
28-41 W
45-47 W
50-53 W
58-5A W
72 W
78-79 W
8C W
8E W
90-93 VSIB
96-9F W
A6-AF W
B0-B1 W
B4-B5 W
B6-BF W
CB-CD W
CF W
D2-D3 W
DA-DF W
F2.NP Gy= Yy Ey f
F3/1.NP Yy= Ey f
F3/2.NP Yy= Ey f
F3/3.NP Yy= Ey f
F5.NP Gy= Ey Yy f
F5.F3 Gy= Yy Ey
F5.F2 Gy= Yy Ey
F6.F2 Yy= Gy= Ey rdx.y
F7.NP Gy= Ey Yy f
F7.66 Gy= Ey Yy
F7.F3 Gy= Ey Yy
F7.F2 Gy= Ey Yy
`

const vexTable3 = `
00-02 W Ib
04-06 W Ib
08-0F W Ib
14-17 Ey= Ib
18-19 W Ib
1D W Ib
20 Ey Ib
21 W Ib
22 Ey Ib
30-33 W Ib
38-39 W Ib
40-42 W Ib
44 W Ib
46 W Ib
48-4C W Ib
5C-5F W Ib
60 W Ib rax.y rdx.y f
61 W Ib rax.y rdx.y rcx.y= f
62 W Ib f
63 W Ib rcx.y= f
68-6F W Ib
78-7F W Ib
CE-CF W Ib
DE W Ib
DF W Ib
F0.F2 Gy= Ey Ib
`

const evexTable1 = `
10-17 W
28-29 W
2A.F3 Ey
2A.F2 Ey
2B W
2C-2D.F3 Gy= W
2C-2D.F2 Gy= W
2E-2F W f
51 W
54-5F W
60-6D W
6E Ey
6F W
70-73 W Ib
74-76 W
78-79 W
78-79.F3 Gy= W
78-79.F2 Gy= W
7A W
7B W
7B.F3 Ey
7B.F2 Ey
7E Ey=
7E.F3 W
7F W
C2 W Ib
C4 Ey Ib
C5 Gy= W Ib
C6 W Ib
D1-D6 W
D8-EF W
F1-F6 W
F8-FE W
`

const evexTable2 = `
00 W
04 W
0B-0D W
10-16 W
18-1F W
20-2D W
30-40 W
42-47 W
4C-4D W
4E-4F W
50-55 W
58-5B W
62-66 W
68 W
70-73 W
75-79 W
7A-7C Ey
7D-7F W
83 W
88-8B W
8D W
8F W
90-93 VSIB
96-9F W
A0-A3 VSIB
A6-AF W
B4-BF W
C4 W
C6-C7 VSIB
C8 W
CA-CD W
CF W
DC-DF W
`

const evexTable3 = `
00-01 W Ib
03-05 W Ib
08-0B W Ib
0F W Ib
14-17 Ey= Ib
18-1B W Ib
1D-1F W Ib
20 Ey Ib
21 W Ib
22 Ey Ib
23 W Ib
25-27 W Ib
38-3B W Ib
3E-3F W Ib
42-44 W Ib
50-51 W Ib
54-57 W Ib
66-67 W Ib
70-73 W Ib
C2 W Ib
CE-CF W Ib
`

const evexTable5 = `
10-11 W
1D W
2A.F3 Ey
2C-2D.F3 Gy= W
2E-2F W f
51 W
58-5F W
6E Ey
78-7D W
78-79.F3 Gy= W
7B.F3 Ey
7E Ey=
`

const evexTable6 = `
13 W
2C-2D W
42-43 W
4C-4F W
56-57 W
96-9F W
A6-AF W
B6-BF W
D6-D7 W
`
